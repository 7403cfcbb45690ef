//! What the faults of an engine mean, and how long it may take.

use std::error::Error as _;
use std::time::Duration;

use bollard::errors::Error;
use domain::instance::{Driven, DriverFault};

/// To be connected.
pub const CONNECT: Duration = Duration::from_secs(5);
/// One call.
pub const CALL: Duration = Duration::from_secs(30);
/// A call that moves a whole disk or image.
pub const LONG_CALL: Duration = Duration::from_secs(150);
/// All calls of one of the driver's; well below a job's lease of 3 minutes.
pub const ALL_CALLS: Duration = Duration::from_secs(160);

/// Data that are streamed through us; the calls around that need some time as well.
pub const STREAM: Duration = Duration::from_mins(2);

/// The most of an engine's message that is passed on; Podman's can fill pages.
const MOST_CHARS: usize = 300;

/// What stands in messages about a host that cannot do what it was asked for.
const CANNOT: [&str; 2] =
    ["could not select device driver", "storage-opt is supported only for overlay over xfs"];
/// What stands in messages about a registry that has no such image, or not for us.
const NO_IMAGE: [&str; 8] = [
    "manifest unknown",
    "name unknown",
    "not found",
    "does not exist",
    "no such image",
    "unauthorized",
    "denied",
    "invalid reference",
];

/// A call that failed.
#[derive(Debug)]
pub struct Trouble {
    /// The engine's answer, if there was one.
    pub status: Option<u16>,
    /// What the engine said.
    message: String,
    fault: DriverFault,
}

impl From<Trouble> for DriverFault {
    fn from(trouble: Trouble) -> Self {
        trouble.fault
    }
}

impl Trouble {
    /// `tried` names the host's endpoint and what was asked of it.
    pub fn new(error: &Error, tried: &str) -> Self {
        let (status, message) = match error {
            Error::DockerResponseServerError { status_code, message } => {
                (Some(*status_code), message.clone())
            }
            Error::DockerStreamError { error } => (None, error.clone()),
            error => (None, with_sources(error)),
        };
        let short: String = message.chars().take(MOST_CHARS).collect();
        let text = format!("{tried}: {short}");
        let fault = if ["no space left on device", "disk quota exceeded"]
            .iter()
            .any(|words| message.to_lowercase().contains(words))
        {
            DriverFault::NoRoom(text)
        } else if [Some(400), Some(501)].contains(&status)
            || CANNOT.iter().any(|words| message.contains(words))
        {
            DriverFault::Refused(text)
        } else {
            DriverFault::Failed(text)
        };
        Self { status, message, fault }
    }

    /// A call that was given up.
    pub fn late(tried: &str, deadline: Duration) -> Self {
        let fault = DriverFault::Failed(format!("{tried}: no answer within {deadline:?}"));
        Self { status: None, message: String::new(), fault }
    }

    /// The same as the fault of a pull: a registry that has no such image never will.
    pub fn of_pull(self) -> DriverFault {
        let message = self.message.to_lowercase();
        match self.fault {
            DriverFault::Failed(text)
                if self.status == Some(404) || NO_IMAGE.iter().any(|w| message.contains(w)) =>
            {
                DriverFault::Refused(text)
            }
            fault => fault,
        }
    }
}

/// A client's own message says only that it failed; why is in its sources.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

/// The answer of a call to which "there is no such thing" is an answer too.
pub trait Found<T> {
    /// `None` where the engine says that it is not there.
    fn found(self) -> Driven<Option<T>>;
}

impl<T> Found<T> for Result<T, Trouble> {
    fn found(self) -> Driven<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(trouble) if trouble.status == Some(404) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(status_code: u16, message: &str) -> Trouble {
        let message = message.to_owned();
        Trouble::new(&Error::DockerResponseServerError { status_code, message }, "unix:///s: try")
    }

    #[test]
    fn faults_are_told_apart() {
        let fault = |status, message| DriverFault::from(trouble(status, message));
        let told = "unix:///s: try: no luck".to_owned();
        assert_eq!(fault(500, "no luck"), DriverFault::Failed(told.clone()));
        assert_eq!(fault(409, "no luck"), DriverFault::Failed(told.clone()));
        assert_eq!(fault(400, "no luck"), DriverFault::Refused(told));
        let full = fault(500, "write /a: no space left on device");
        assert!(matches!(full, DriverFault::NoRoom(_)), "{full:?}");
        let lacking = fault(500, "could not select device driver \"nvidia\"");
        assert!(matches!(lacking, DriverFault::Refused(_)), "{lacking:?}");
        let long = DriverFault::from(trouble(500, &"x".repeat(5000)));
        assert!(long.to_string().len() < 400);
    }

    #[test]
    fn a_registry_without_the_image_is_not_one_that_cannot_be_reached() {
        for message in [
            "manifest for a:1 not found: manifest unknown: manifest unknown",
            "pull access denied for a, repository does not exist or may require 'docker login'",
            "initializing source docker://a:1: reading manifest 1: manifest unknown",
        ] {
            let error = Error::DockerStreamError { error: message.to_owned() };
            let fault = Trouble::new(&error, "pull a:1").of_pull();
            assert!(matches!(fault, DriverFault::Refused(_)), "{message}");
        }
        for message in [
            "dial tcp: lookup registry-1.docker.io: no such host",
            "dial tcp 127.0.0.1:443: connect: connection refused",
            "net/http: TLS handshake timeout",
        ] {
            let error = Error::DockerStreamError { error: message.to_owned() };
            let fault = Trouble::new(&error, "pull a:1").of_pull();
            assert!(matches!(fault, DriverFault::Failed(_)), "{message}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_answer() {
        let missing: Result<(), _> = Err(trouble(404, "no such container"));
        assert_eq!(missing.found(), Ok(None));
        assert_eq!(Ok::<_, Trouble>(1).found(), Ok(Some(1)));
        let broken: Result<(), _> = Err(trouble(500, "broken"));
        assert!(broken.found().is_err());
    }
}
