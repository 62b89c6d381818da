//! Passwords, as they are kept: by Argon2id, in the form of the PHC strings that other programs read as well.
//!
//! Hashing and verifying take some 20 ms and 19 MiB each, on purpose; whoever does it from an async task goes through
//! [`super::verifier`].

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// The shortest and the longest password, in bytes. What is longer than the longest is wrong without being looked at.
pub(super) const BYTES_MIN: usize = 8;
pub(super) const BYTES_MAX: usize = 1_024;

/// What a verification costs: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The most that a hash from elsewhere may ask for, so that a file cannot make the server stand still.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 32;

/// Letters and digits that nobody takes for one another: 32, so that each is five bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password that cannot be had back.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

/// Why a text is no hash of a password that this server verifies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no hash by Argon2id with at most 256 MiB and {PASSES_MAX} passes, such as `$argon2id$v=19$m=19456,…`")]
pub struct InvalidHash;

/// Why a password cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a password has {BYTES_MIN} to {BYTES_MAX} bytes, not {0}")]
pub struct InvalidPassword(usize);

impl PasswordHash {
    /// Of a new password, with a salt of its own.
    ///
    /// # Errors
    /// When the password is too short or too long.
    pub fn of(password: &str) -> Result<Self, InvalidPassword> {
        if !(BYTES_MIN..=BYTES_MAX).contains(&password.len()) {
            return Err(InvalidPassword(password.len()));
        }
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the costs are within what Argon2 allows");
        let hash: phc::PasswordHash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.as_bytes())
            .expect("the length was checked, and the system has random bytes");
        Ok(Self(hash.to_string().into()))
    }

    /// Reads a hash.
    ///
    /// # Errors
    /// When it is of another kind, or costs too much.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let hash = phc::PasswordHash::new(text).map_err(|_| InvalidHash)?;
        let params = Params::try_from(&hash).map_err(|_| InvalidHash)?;
        let is_whole = hash.salt.is_some() && hash.hash.is_some();
        let is_cheap = params.m_cost() <= MEMORY_KIB_MAX && params.t_cost() <= PASSES_MAX && params.p_cost() <= 16;
        let is_ours = hash.algorithm == ARGON2ID_IDENT && is_whole && is_cheap;
        if is_ours { Ok(Self(text.into())) } else { Err(InvalidHash) }
    }

    /// What is verified against where there is no user: as costly as a true one, and nobody's.
    pub(super) fn nobodys() -> Self {
        Self(NOBODYS.into())
    }

    /// The hash as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of this password.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        let hash = phc::PasswordHash::new(&self.0).expect("it was read when it was made");
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    }
}

const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LCBldmVy$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password that nobody guesses, of 125 random bits, in groups of five so that people can read it to each other.
#[must_use]
pub fn generate() -> String {
    let mut bytes = [0; 25];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    letters.chunks(5).map(String::from_iter).collect::<Vec<_>>().join("-")
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_one_password_alone_and_each_has_its_own_salt() {
        let (one, other) = (PasswordHash::of("correct horse").unwrap(), PasswordHash::of("correct horse").unwrap());
        assert_ne!(one, other);
        for hash in [&one, &PasswordHash::parse(one.as_str()).unwrap(), &other] {
            assert!(hash.is_of("correct horse"));
            assert!(!hash.is_of("correct horsf") && !hash.is_of("") && !hash.is_of(hash.as_str()));
        }
        assert_eq!(format!("{one:?}"), "PasswordHash");
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert_eq!(PasswordHash::of("1234567"), Err(InvalidPassword(7)));
        assert_eq!(PasswordHash::of(&"x".repeat(1_025)), Err(InvalidPassword(1_025)));
    }

    #[test]
    fn hashes_of_other_kinds_and_costly_ones_are_refused() {
        let nobodys = PasswordHash::parse(NOBODYS).expect("a hash");
        let costs = |hash: &PasswordHash| {
            let params = Params::try_from(&phc::PasswordHash::new(hash.as_str()).unwrap()).unwrap();
            (params.m_cost(), params.t_cost(), params.p_cost())
        };
        let true_one = PasswordHash::of("12345678").unwrap();
        assert_eq!((costs(&nobodys), costs(&true_one)), ((MEMORY_KIB, PASSES, LANES), (MEMORY_KIB, PASSES, LANES)));
        for other in [
            NOBODYS.replace("argon2id", "argon2i"),
            NOBODYS.replace("m=19456", "m=1000000000"),
            NOBODYS.replace("t=2", "t=1000000"),
            NOBODYS.replace("p=1", "p=17"),
            NOBODYS.rsplit_once('$').unwrap().0.to_string(),
            "$2b$12$abcdefghijklmnopqrstuuu".into(),
            "plain".into(),
            String::new(),
        ] {
            assert_eq!(PasswordHash::parse(&other), Err(InvalidHash), "{other}");
        }
    }

    #[test]
    fn generated_passwords_have_groups_of_letters_and_differ() {
        let (one, other) = (generate(), generate());
        assert_eq!((one.len(), one.split('-').count()), (29, 5));
        assert!(one.bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)));
        assert_ne!(one, other);
    }
}
