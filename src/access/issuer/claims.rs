//! What a token says, once it is known who signed it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::access::caller::Kept;
use crate::access::users::{check_groups, check_user};
use crate::access::{Caller, Unidentified};
use crate::event::{ADMINS, Timestamp};

use super::{IssuerSettings, LEEWAY_SECONDS};

/// Who it is, and from when until when.
#[derive(Debug)]
pub(super) struct Claims {
    caller: Caller,
    begins: Option<i64>,
    until: Timestamp,
}

impl Claims {
    /// None if it is for another server, by another service, for ever, or of nobody in particular.
    pub(super) fn read(payload: &[u8], settings: &IssuerSettings) -> Option<Self> {
        let claims: Map<String, Value> = serde_json::from_slice(payload).ok()?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let is_by_them = settings.issuer.as_deref().is_none_or(|expected| issuer == Some(expected));
        let begins = match claims.get("nbf") {
            None => None,
            Some(begins) => Some(seconds(begins)?),
        };
        let expires = seconds(claims.get("exp")?)?;
        let name = claims.get(&settings.user_claim)?.as_str()?;
        let is_sound =
            is_by_them && is_for(claims.get("aud"), settings.audience.as_deref()) && check_user(name).is_ok();
        let groups = groups(claims.get(&settings.groups_claim), &settings.admins);
        let until = Timestamp::from_micros((expires + LEEWAY_SECONDS) * 1_000_000);
        let caller = Caller::user(name.into(), groups.into()).kept_as(Kept::Vouched { until });
        is_sound.then_some(Self { caller, begins, until })
    }

    /// The caller, while the token is good.
    pub(super) fn caller(&self, now: Timestamp) -> Result<Caller, Unidentified> {
        if self.begins.is_some_and(|begins| now.micros() / 1_000_000 + LEEWAY_SECONDS < begins) {
            return Err(Unidentified::Wrong);
        }
        if self.until <= now { Err(Unidentified::Expired) } else { Ok(self.caller.clone()) }
    }
}

/// A time as RFC 7519 has it: a number, perhaps with a fraction. What is beyond our calendar is no time.
fn seconds(value: &Value) -> Option<i64> {
    let seconds = value.as_f64().filter(|seconds| (0.0..=253_402_300_799.0).contains(seconds))?;
    Some(seconds as i64)
}

/// A token that names whom it is for is for nobody else (RFC 7519, 4.1.3).
fn is_for(audience: Option<&Value>, ours: Option<&str>) -> bool {
    match (audience, ours) {
        (None, None) => true,
        (Some(Value::String(audience)), Some(ours)) => audience == ours,
        (Some(Value::Array(audience)), Some(ours)) => audience.iter().any(|audience| audience.as_str() == Some(ours)),
        (None | Some(_), _) => false,
    }
}

/// A list, or a text with spaces between. Names that are the server's own, or no names, are left out: groups that give
/// power here are given here.
fn groups(claim: Option<&Value>, admins: &[String]) -> Vec<Arc<str>> {
    let claimed: Vec<&str> = match claim {
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(groups)) => groups.split_ascii_whitespace().collect(),
        _ => Vec::new(),
    };
    let is_plain = |group: &Arc<str>| !group.starts_with('$') && check_groups(std::slice::from_ref(group)).is_ok();
    let mut groups: Vec<Arc<str>> = claimed.iter().map(|group| Arc::from(*group)).filter(is_plain).collect();
    if groups.iter().any(|group| admins.iter().any(|admin| **group == **admin)) {
        groups.push(ADMINS.into());
    }
    groups
}
