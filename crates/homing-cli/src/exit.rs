//! How does it end? Every way a command can fail, and the exit code that tells a script which it was.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::signals::Signal;
use homing::diagnosis::Outlook;
use homing::security::KeyFileError;
use homing::{CallError, JoinError, RegisterError, ServeError, Status, TopicError};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was typed or configured cannot be right. Exit code 2.
    Usage(String),
    /// The mesh said no. Exit code 10 + the canonical code.
    Mesh(Status),
    /// Nobody here offers it, and why nobody elsewhere was asked. Exit code 10 + the canonical code.
    Nowhere(Status, &'static str),
    /// Of all who were asked, so many failed, the first of them so. Exit code 10 + its canonical code.
    Partly(Status, usize, usize),
    /// A diagnosis, which was told, is not all good. Exit code 3 with warnings, 4 where nobody is found.
    Outlook(Outlook),
    /// Somebody ended us. Exit code 128 + the signal's number.
    Signal(Signal),
    /// The program that we ran for somebody ended so. Its exit code.
    Child(u8),
    /// Nobody reads our output any more: we are done, and that is no error. Exit code 0.
    OutputClosed,
    /// Anything else. Exit code 1.
    Other(anyhow::Error),
}

impl Failure {
    /// What the shell is told.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Outlook(Outlook::Warnings) => 3,
            Self::Outlook(Outlook::Alone) => 4,
            Self::Other(_) | Self::Outlook(_) => 1,
            Self::Usage(_) => 2,
            Self::Mesh(status) | Self::Nowhere(status, _) | Self::Partly(status, ..) => {
                10 + status.code.number()
            }
            Self::Signal(signal) => signal.exit_number(),
            Self::Child(code) => *code,
        }
    }

    /// Whether there is something to tell a person: not where they ended it themselves.
    pub(crate) const fn is_worth_telling(&self) -> bool {
        !matches!(self, Self::OutputClosed | Self::Signal(_) | Self::Child(_) | Self::Outlook(_))
    }

    /// The failure of a write to our own output.
    pub(crate) fn writing(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Other(anyhow::Error::new(error).context("cannot write the output")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Mesh(status) => status.fmt(f),
            Self::Nowhere(status, hint) => write!(f, "{status}\n{hint}"),
            Self::Partly(status, failed, asked) => {
                write!(f, "{failed} of {asked} failed, the first with {status}")
            }
            Self::Outlook(outlook) => outlook.fmt(f),
            Self::Signal(signal) => write!(f, "ended by {signal}"),
            Self::Child(code) => write!(f, "the program ended with {code}"),
            Self::OutputClosed => f.write_str("nobody reads the output"),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Mesh(status)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Mesh(error.into())
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Config(error) => Self::Usage(error.to_string()),
            JoinError::Keys(error) => error.into(),
            JoinError::Refused(status) => Self::Mesh(status),
            error => Self::Other(error.into()),
        }
    }
}

impl From<KeyFileError> for Failure {
    /// A file that is not there, or is none, is a matter of configuration.
    fn from(error: KeyFileError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Name(error) => Self::Usage(error.to_string()),
            ServeError::Refused(status) => Self::Mesh(status),
            error => Self::Other(error.into()),
        }
    }
}

impl From<RegisterError> for Failure {
    /// What can never be registered is a matter of usage.
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Refused(status) => Self::Mesh(status),
            RegisterError::Closed => Self::Other(error.into()),
            error => Self::Usage(error.to_string()),
        }
    }
}

impl From<TopicError> for Failure {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Name(error) => Self::Usage(error.to_string()),
            TopicError::Refused(status) => Self::Mesh(status),
            error => Self::Other(error.into()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing::Code;

    #[track_caller]
    fn check(failure: &Failure, number: u8, message: &str) {
        assert_eq!((failure.number(), failure.to_string().as_str()), (number, message));
    }

    #[test]
    fn a_failure_of_the_mesh_is_ten_and_its_code() {
        let none = Status::new(Code::Unavailable, "no instance of words@^2 (running: 1.2.0)");
        check(&none.into(), 24, "UNAVAILABLE: no instance of words@^2 (running: 1.2.0)");
        check(&Status::new(Code::NotFound, "x").into(), 15, "NOT_FOUND: x");
        let nowhere = Failure::Nowhere(Status::new(Code::NotFound, "x"), "for");
        check(&nowhere, 15, "NOT_FOUND: x\nfor");
        let partly = Failure::Partly(Status::new(Code::Aborted, "x"), 1, 3);
        check(&partly, 20, "1 of 3 failed, the first with ABORTED: x");
        check(&Status::new(Code::DeadlineExceeded, "x").into(), 14, "DEADLINE_EXCEEDED: x");
    }

    #[test]
    fn the_other_ends_have_their_numbers() {
        check(&Failure::Usage("bad".into()), 2, "bad");
        check(&Failure::Outlook(Outlook::Warnings), 3, "warnings");
        check(&Failure::Outlook(Outlook::Alone), 4, "alone");
        check(&Failure::Signal(Signal::Interrupt), 130, "ended by SIGINT");
        check(&Failure::Signal(Signal::Terminate), 143, "ended by SIGTERM");
        check(&Failure::Other(anyhow::anyhow!("why").context("what")), 1, "what: why");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let failure = Failure::writing(io::ErrorKind::BrokenPipe.into());
        check(&failure, 0, "nobody reads the output");
        assert!(!failure.is_worth_telling());
    }
}
