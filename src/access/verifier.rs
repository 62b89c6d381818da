//! Verifies passwords without holding up anything else: on threads of their own, few at once, in a bounded queue, and
//! each only once in a while.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use super::Unidentified;
use super::password::{BYTES_MAX, PasswordHash};

/// How long a password need not be verified again. One that was changed counts at once, since another hash is asked for.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The most passwords that are remembered as right. Wrong ones are not, so that nobody pushes out others.
const REMEMBERED_MAX: usize = 10_000;

/// The most that wait for each of those that are under way: about a second's work, since each takes 19 MiB and all of
/// one core.
const WAITING_PER_CORE_MAX: usize = 50;

/// What is said to those for whom there is no room.
const BUSY_FOR: Duration = Duration::from_secs(2);

/// A name, a password and the hash that it is verified against, as a hash that nobody else can compute.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proof([u8; 32]);

/// What a verification comes to, for all who wait for it.
type Shared = Arc<OnceCell<Result<(), Unidentified>>>;

/// Verifies passwords.
pub(super) struct Verifier {
    /// Of this process alone, so that what is remembered says nothing about passwords.
    key: [u8; 32],
    /// What was right, and until when that need not be verified again.
    remembered: Cache<Proof, Instant>,
    under_way: Mutex<HashMap<Proof, Shared>>,
    /// Those that run, and those that run or wait.
    running: Arc<Semaphore>,
    places: Semaphore,
    done: AtomicU64,
}

impl Verifier {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the system has random bytes");
        Self {
            key,
            remembered: Cache::new(REMEMBERED_MAX),
            under_way: Mutex::default(),
            running: Arc::new(Semaphore::new(cores)),
            places: Semaphore::new(cores * (1 + WAITING_PER_CORE_MAX)),
            done: AtomicU64::new(0),
        }
    }

    /// What is to be verified.
    pub(super) fn proof(&self, name: &str, password: &str, hash: &PasswordHash) -> Proof {
        let mut digest = Sha256::new_with_prefix(self.key);
        for part in [name, password, hash.as_str()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Proof(digest.finalize().into())
    }

    /// Whether it was verified a short time ago.
    pub(super) fn remembers(&self, proof: &Proof, now: Instant) -> bool {
        self.remembered.get(proof).is_some_and(|until| now < until)
    }

    /// Keeps in mind that it is right.
    pub(super) fn remember(&self, proof: Proof, now: Instant) {
        self.remembered.insert(proof, now + REMEMBERED_FOR);
    }

    /// What this comes to, which is worked out once for all who ask for it meanwhile.
    pub(super) async fn once(
        &self,
        proof: Proof,
        work: impl Future<Output = Result<(), Unidentified>>,
    ) -> Result<(), Unidentified> {
        let flight = Flight::join(self, proof);
        flight.outcome.get_or_init(|| work).await.clone()
    }

    /// Whether the hash is of this password, found out on another thread; none if too many ask.
    pub(super) async fn verify(&self, password: &str, hash: PasswordHash) -> Option<bool> {
        let password = String::from(if password.len() <= BYTES_MAX { password } else { "" });
        let verified = self.work(move || hash.is_of(&password)).await?;
        self.done.fetch_add(1, Ordering::Relaxed);
        Some(verified)
    }

    /// What this comes to on a thread of its own, in its turn; none if too many ask.
    pub(super) async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _place = self.places.try_acquire().ok()?;
        let turn = self.running.clone().acquire_owned().await.expect("it is never closed");
        let working = tokio::task::spawn_blocking(move || {
            // Held here, since the thread goes on when nobody waits for it any more.
            let _turn = turn;
            work()
        });
        Some(working.await.expect("hashing does not panic"))
    }

    /// How many were verified so far.
    #[cfg(test)]
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// What is said where [`Self::verify`] says nothing.
    pub(super) const fn busy() -> Unidentified {
        Unidentified::Busy { retry_after: BUSY_FOR }
    }
}

/// One of those who wait for the same outcome. The last one clears it away, also when nobody waited to the end.
struct Flight<'a> {
    verifier: &'a Verifier,
    proof: Proof,
    outcome: Shared,
}

impl<'a> Flight<'a> {
    fn join(verifier: &'a Verifier, proof: Proof) -> Self {
        let mut under_way = verifier.under_way.lock().expect("nobody panics while looking");
        let outcome = under_way.entry(proof).or_default().clone();
        Self { verifier, proof, outcome }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut under_way = self.verifier.under_way.lock().expect("nobody panics while looking");
        // Ours and the one in the table; nobody joins while it is locked. What was worked out is for those alone who
        // waited: whoever comes later tries anew, which counts.
        if Arc::strong_count(&self.outcome) <= 2 || self.outcome.initialized() {
            let is_ours = under_way.get(&self.proof).is_some_and(|other| Arc::ptr_eq(other, &self.outcome));
            if is_ours {
                under_way.remove(&self.proof);
            }
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("done", &self.done).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn another_name_password_or_hash_is_another_proof() {
        let verifier = Verifier::new();
        let (hash, other) = (PasswordHash::of("12345678").unwrap(), PasswordHash::of("12345678").unwrap());
        let proof = verifier.proof("ann", "12345678", &hash);
        assert!(proof == verifier.proof("ann", "12345678", &hash));
        assert!(proof != verifier.proof("an", "n12345678", &hash));
        assert!(proof != verifier.proof("ann", "12345678", &other));
        assert!(proof != Verifier::new().proof("ann", "12345678", &hash), "each process has a key of its own");
    }

    #[test]
    fn what_was_right_is_remembered_for_a_minute() {
        let (verifier, now) = (Verifier::new(), Instant::now());
        let proof = verifier.proof("ann", "12345678", &PasswordHash::nobodys());
        assert!(!verifier.remembers(&proof, now));
        verifier.remember(proof, now);
        assert!(verifier.remembers(&proof, now + Duration::from_secs(59)));
        assert!(!verifier.remembers(&proof, now + Duration::from_secs(60)));
    }

    #[test]
    fn those_who_ask_at_once_get_one_outcome_and_nothing_is_left() {
        let verifier = Verifier::new();
        let proof = verifier.proof("ann", "12345678", &PasswordHash::nobodys());
        let begun = AtomicU64::new(0);
        let ask = || {
            verifier.once(proof, async {
                begun.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Err(Unidentified::Wrong)
            })
        };
        runtime().block_on(async {
            let (one, other, third) = tokio::join!(ask(), ask(), ask());
            assert_eq!(
                (one, other, third),
                (Err(Unidentified::Wrong), Err(Unidentified::Wrong), Err(Unidentified::Wrong))
            );
            assert_eq!(begun.load(Ordering::Relaxed), 1);
            // Whoever gives up takes nothing along.
            tokio::select! { biased; _ = ask() => {}, () = std::future::ready(()) => {} }
            assert_eq!(begun.load(Ordering::Relaxed), 2);
            assert_eq!(ask().await, Err(Unidentified::Wrong));
            assert_eq!(begun.load(Ordering::Relaxed), 3);
        });
        assert!(verifier.under_way.lock().unwrap().is_empty());
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let verifier = Verifier::new();
        runtime().block_on(async {
            let cores = verifier.running.available_permits() as u32;
            let turns = verifier.running.acquire_many(cores).await.unwrap();
            let places = verifier.places.available_permits();
            let mut waiting: Vec<_> = (0..=places).map(|_| Box::pin(verifier.work(|| true))).collect();
            let mut done = Vec::new();
            for work in &mut waiting {
                done.push(tokio::select! { biased; done = work => Some(done), () = std::future::ready(()) => None });
            }
            assert_eq!(done.pop(), Some(Some(None)), "the last one is told so at once");
            assert!(done.iter().all(Option::is_none));
            drop(turns);
            for work in waiting.into_iter().take(places) {
                assert_eq!(work.await, Some(true));
            }
        });
    }
}
