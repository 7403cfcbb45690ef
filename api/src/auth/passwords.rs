//! Hashes passwords with argon2id.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use async_trait::async_trait;
use domain::user::{Password, PasswordHash, Passwords};
use domain::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// Each costs 19 MiB and about 20 ms of a core; more at once would slow everything else.
const AT_ONCE: usize = 2;
/// How long one may wait for its turn before it is told to come back.
const QUEUE_DEADLINE: Duration = Duration::from_secs(2);
/// What to tell those who waited in vain.
const RETRY_AFTER: chrono::Duration = chrono::Duration::seconds(1);
/// A hash of nothing that anybody knows, so that an unknown user costs as much as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
                      $WtgvEKQTlcQk4vT1ZgeJBUvbBGOKTQL4ITLnVPDwjPA";

/// Argon2id with the parameters that OWASP recommends: 19 MiB, two passes, one lane.
///
/// Hashes are made on threads of their own: the allocator keeps the memory of every thread that ever
/// made one, and the runtime's pool for blocking work has hundreds.
pub struct Argon2Passwords {
    turns: Semaphore,
    /// New passwords take at most one turn, so that log-ins always have one.
    new_ones: Semaphore,
    threads: Sender<Work>,
}

type Work = Box<dyn FnOnce() + Send>;

impl Default for Argon2Passwords {
    fn default() -> Self {
        let (threads, work) = channel::<Work>();
        let work = Arc::new(Mutex::new(work));
        for _ in 0..AT_ONCE {
            let work = work.clone();
            std::thread::spawn(move || {
                // Ends when the sender is gone.
                while let Ok(Ok(next)) = work.lock().map(|work| work.recv()) {
                    next();
                }
            });
        }
        Self { turns: Semaphore::new(AT_ONCE), new_ones: Semaphore::new(AT_ONCE - 1), threads }
    }
}

impl Argon2Passwords {
    /// Runs a hash on one of the threads, when it is its turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _turn = turn(&self.turns).await?;
        let (sender, receiver) = oneshot::channel();
        let work = move || sender.send(work()).unwrap_or(());
        self.threads.send(Box::new(work)).map_err(|gone| Error::internal(gone.to_string()))?;
        receiver.await.map_err(Error::internal)?
    }
}

async fn turn(turns: &Semaphore) -> Result<SemaphorePermit<'_>> {
    let waiting = tokio::time::timeout(QUEUE_DEADLINE, turns.acquire()).await;
    let turn = waiting.map_err(|_| Error::RateLimited { retry_after: RETRY_AFTER })?;
    turn.map_err(Error::internal)
}

#[async_trait]
impl Passwords for Argon2Passwords {
    async fn hash(&self, password: &Password) -> Result<PasswordHash> {
        let secret = password.secret().clone();
        let _turn = turn(&self.new_ones).await?;
        self.in_turn(move || {
            let hash: Phc = Argon2::default()
                .hash_password(secret.expose_secret().as_bytes())
                .map_err(|error| Error::internal(error.to_string()))?;
            Ok(PasswordHash::from_phc(hash.to_string()))
        })
        .await
    }

    async fn verify(&self, attempt: &SecretString, hash: Option<&PasswordHash>) -> Result<bool> {
        let secret = attempt.clone();
        let stored = hash.map_or(NOBODY, PasswordHash::as_phc).to_owned();
        let known = hash.is_some();
        self.in_turn(move || {
            let stored = Phc::new(&stored).map_err(|error| Error::internal(error.to_string()))?;
            let attempt = secret.expose_secret().as_bytes();
            Ok(Argon2::default().verify_password(attempt, &stored).is_ok() && known)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_nobody_has_none() {
        let passwords = Argon2Passwords::default();
        let hash =
            passwords.hash(&Password::parse("correct horse battery").unwrap()).await.unwrap();
        let right: SecretString = "correct horse battery".into();
        let wrong: SecretString = "correct horse bakery!".into();
        assert!(hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify(&right, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&wrong, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&right, None).await.unwrap());
    }
}
