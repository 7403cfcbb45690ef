use async_trait::async_trait;

use super::{Email, PasswordHash, User, UserId, Username};
use crate::error::Result;

/// Looks at users.
#[async_trait]
pub trait UserQueries {
    /// The user with this id.
    async fn user(&self, id: UserId) -> Result<Option<User>>;

    /// The user with this name, without regard to case.
    async fn user_named(&self, username: &str) -> Result<Option<User>>;

    /// The user and password hash for a username or e-mail address, without regard to case.
    async fn user_to_sign_in(&self, login: &str) -> Result<Option<(User, PasswordHash)>>;

    /// How many users there are.
    async fn user_count(&self) -> Result<u64>;

    /// Users by age, oldest first, after the id given.
    async fn users_after(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>>;
}

/// Changes users.
#[async_trait]
pub trait Users {
    /// Adds a user. A taken username or e-mail address, also one that another transaction is just
    /// taking, is [`crate::error::Conflict::UsernameTaken`] or [`crate::error::Conflict::EmailTaken`].
    async fn add_user(&self, user: &User, password: &PasswordHash) -> Result<()>;

    /// The user and password hash, locked until the transaction ends.
    async fn user_for_update(&self, id: UserId) -> Result<Option<(User, PasswordHash)>>;

    /// Stores alias and times of a locked user, and the password if one is given.
    async fn save_user(&self, user: &User, password: Option<&PasswordHash>) -> Result<()>;

    /// Whether the username, and whether the address, belongs to somebody. A hint for a good answer:
    /// the unique keys decide.
    async fn names_taken(&self, username: &Username, email: &Email) -> Result<(bool, bool)>;
}
