//! The service that vouches for callers by tokens that it has signed, as the settings name it.

use crate::access::Identities;
use crate::config::Jwt;

use super::Error;

/// Lets in those for whom it vouches, if there is one.
#[cfg(feature = "jwt")]
pub(super) fn trust(identities: &Identities, settings: &Jwt) -> Result<(), Error> {
    use crate::access::{Issuer, IssuerSettings};

    let Jwt { keys, issuer, audience, user_claim, groups_claim, admins } = settings.clone();
    let Some(keys) = keys else { return Ok(()) };
    let settings = IssuerSettings { keys, issuer, audience, user_claim, groups_claim, admins };
    identities.trust(Issuer::read(settings).map_err(|error| Error::Issuer(error.to_string()))?);
    Ok(())
}

/// A program that was built without it says so, instead of letting nobody in.
#[cfg(not(feature = "jwt"))]
pub(super) fn trust(_: &Identities, settings: &Jwt) -> Result<(), Error> {
    match settings.keys {
        None => Ok(()),
        Some(_) => Err(Error::Issuer("this program was built without signed tokens (the Cargo feature `jwt`)".into())),
    }
}
