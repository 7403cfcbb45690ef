use async_trait::async_trait;

use super::{RefreshToken, Session, SessionId, TokenHash};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::user::{User, UserId};

/// Looks at sessions.
#[async_trait]
pub trait SessionQueries {
    /// A session and its user, in one statement: every signed-in request asks this.
    async fn session_with_user(&self, id: SessionId) -> Result<Option<(Session, User)>>;
}

/// Changes sessions.
#[async_trait]
pub trait Sessions {
    /// Adds a session with its first refresh token.
    async fn add_session(&self, session: &Session, first: &TokenHash) -> Result<()>;

    /// The refresh token with its session and user, the session locked until the transaction ends.
    async fn refresh_token_for_update(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<(RefreshToken, Session, User)>>;

    /// Marks `used` as exchanged, adds `next` and stores the session's new expiry.
    async fn rotate(
        &self,
        session: &Session,
        used: &TokenHash,
        next: &TokenHash,
        at: Timestamp,
    ) -> Result<()>;

    /// Ends one session.
    async fn end_session(&self, id: SessionId, at: Timestamp) -> Result<()>;

    /// Ends a user's open sessions, all but one if it is given.
    async fn end_sessions(
        &self,
        user_id: UserId,
        except: Option<SessionId>,
        at: Timestamp,
    ) -> Result<()>;
}
