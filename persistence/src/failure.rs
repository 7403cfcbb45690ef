//! What a failed statement means to the domain.

use domain::Error;
use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

use crate::connection::DEADLINE_PASSED;

/// Shorthand for the answer of a port.
pub(crate) type Result<T> = domain::Result<T>;

/// The domain's word for a database failure.
pub(crate) fn failed(error: DbErr) -> Error {
    if let DbErr::ConnectionAcquire(_) = error {
        return Error::Busy;
    }
    match &error {
        DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause) => match meaning(cause) {
            Meaning::Contention => Error::Contention,
            Meaning::Busy => Error::Busy,
            Meaning::Unavailable => Error::Unavailable(error.into()),
            Meaning::Fault => Error::internal(told(cause)),
        },
        _ => Error::internal(error),
    }
}

/// A fault for the log. PostgreSQL's detail is left out: it holds the whole row, with scripts,
/// environments and hashes.
fn told(cause: &RuntimeErr) -> String {
    match cause {
        RuntimeErr::SqlxError(error) => match error.as_ref() {
            SqlxError::Database(database) => {
                let code = database.code().unwrap_or_default();
                let table = database.table().unwrap_or_default();
                format!("{} (code {code}, table {table:?})", database.message())
            }
            other => other.to_string(),
        },
        RuntimeErr::Internal(text) => text.clone(),
    }
}

enum Meaning {
    Contention,
    Busy,
    Unavailable,
    Fault,
}

fn meaning(cause: &RuntimeErr) -> Meaning {
    let sqlx = match cause {
        RuntimeErr::SqlxError(error) => error,
        RuntimeErr::Internal(text) if text == DEADLINE_PASSED => return Meaning::Unavailable,
        RuntimeErr::Internal(_) => return Meaning::Fault,
    };
    match sqlx.as_ref() {
        SqlxError::Database(database) => match database.code().as_deref() {
            // PostgreSQL: serialization failure, deadlock.
            Some("40001" | "40P01") => Meaning::Contention,
            // PostgreSQL: lock timeout. SQLite: SQLITE_BUSY and its extended codes, SQLITE_LOCKED.
            Some("55P03" | "5" | "261" | "517" | "773" | "6" | "262") => Meaning::Busy,
            // PostgreSQL: out of resources (53…), shutting down or starting (57P…), I/O (58…),
            // a connection lost (08…), or a standby that takes no writes (25006).
            Some(code)
                if ["53", "57", "58", "08"].iter().any(|class| code.starts_with(class))
                    && code.len() == 5 =>
            {
                Meaning::Unavailable
            }
            // SQLite: read-only, I/O error, corrupt, full, cannot open. Extended codes keep the
            // primary one in their low byte.
            Some(code) => match code.parse::<u32>().map(|code| code & 0xff) {
                Ok(8 | 10 | 11 | 13 | 14) if code.len() < 5 => Meaning::Unavailable,
                _ if code == "25006" => Meaning::Unavailable,
                _ => Meaning::Fault,
            },
            None => Meaning::Fault,
        },
        SqlxError::PoolTimedOut => Meaning::Busy,
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::PoolClosed | SqlxError::WorkerCrashed => {
            Meaning::Unavailable
        }
        _ => Meaning::Fault,
    }
}

/// The name of the violated unique key (PostgreSQL) or its columns (SQLite), if that is what failed.
pub(crate) fn violated_key(error: &DbErr) -> Option<String> {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => Some(message),
        _ => None,
    }
}

/// The word for a failed INSERT of what was not there a moment ago: somebody was faster, so look again.
pub(crate) fn overtaken(error: DbErr) -> Error {
    if violated_key(&error).is_some() { Error::Contention } else { failed(error) }
}

/// A row that our own writes cannot have made.
pub(crate) fn corrupt(what: &str) -> Error {
    Error::internal(format!("a stored row is not readable: {what}"))
}
