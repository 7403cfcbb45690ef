//! How hosts are logged in to: where, as whom, with which of the operator's keys; the keys by which hosts
//! are known; and the journal of what was done there.

mod book;
mod host_login;
mod identity;
mod journal;
mod login;
mod port;

pub use book::KeptLogins;
pub(crate) use host_login::keep_login;
pub use host_login::{
    HostLogin, LoginDefaults, PutLogin, USERNAME, is_username, put_login, show_login,
};
pub use identity::{
    Identity, IdentityId, IdentityName, KeyMeans, KeyPairs, delete_identity, identities,
    put_identity,
};
pub use journal::{JournalEntry, JournalEntryId, Outcome, Step, forget, journal};
pub use login::{HostKey, KeyVerdict, Login, LoginBook};
pub use port::{RemoteQueries, Remotes};
