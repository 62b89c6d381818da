//! Who can log in to a server that has no users yet: two accounts with passwords that are told once.

use std::io::IsTerminal;

use crate::access::{self, ChangeError, Identities, NewUser, Sources};
use crate::config::Config;
use crate::event::{ADMINS, OPERATORS};

use super::{Error, now};

/// The accounts that EventStore's clients expect, and their groups. The passwords are no one else's.
const FIRST: [(&str, &str, &str); 2] = [("admin", "Administrator", ADMINS), ("ops", "Operations", OPERATORS)];

/// The users of a server. Where there is no file of them, it is made.
pub(super) async fn open_or_make(config: &Config) -> Result<Identities, Error> {
    let path = config.users_file();
    let is_first_start = !path.exists();
    let identities = Identities::open(&Sources { users: path })?;
    if is_first_start {
        make(&identities).await?;
    }
    Ok(identities)
}

async fn make(identities: &Identities) -> Result<(), ChangeError> {
    let mut passwords = Vec::new();
    for (name, full_name, group) in FIRST {
        let password = access::generate_password();
        let groups = vec![group.into()];
        let new = NewUser { name: name.into(), full_name: full_name.into(), groups, password: password.clone() };
        identities.create(new, now()).await?;
        passwords.push(password);
    }
    tell(&passwords[0], &passwords[1]);
    Ok(())
}

/// Tells them to whoever starts the server, once. Into a log they go only where nobody sits at a terminal, and with a
/// warning that they are in it; a log that leaves warnings out does not keep them from being told.
fn tell(admin: &str, ops: &str) {
    if !std::io::stderr().is_terminal() && tracing::enabled!(tracing::Level::WARN) {
        tracing::warn!(
            admin,
            ops,
            "first start: the users admin and ops were made, and this line tells their passwords, once. A log that keeps \
             it gives them to whoever reads it: change them now, with `everfeed user passwd admin` and `everfeed user \
             passwd ops`, or take the line out of the log"
        );
        return;
    }
    #[expect(clippy::print_stderr, reason = "for the eyes of whoever starts it, and for no log")]
    {
        eprintln!(
            "\nFirst start: these users were made. Their passwords are told now, and never again.

  admin   {admin}   may do everything
  ops     {ops}   keeps the server running

Change one with `everfeed user passwd admin`.\n"
        );
    }
}
