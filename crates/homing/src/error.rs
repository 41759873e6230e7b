//! What can go wrong for who uses a node, and what is told of it?

use crate::info::Instance;
use crate::security::{AuthorityError, IdentityError, KeyFileError};
use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::limits::RECORD_DATA_MAX;
use homing_core::name::BadName;
use homing_core::talk::{Code, Started, Status};
use std::convert::Infallible;
use std::io;
use std::time::Duration;

/// A setting that cannot be used. Nothing was started.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{setting} {value:?}: {problem}")]
pub struct ConfigError {
    setting: &'static str,
    value: String,
    problem: String,
}

impl ConfigError {
    /// `setting` is the environment variable, or the field of [`Config`](crate::config::Config) and its parts.
    pub(crate) fn new(
        setting: &'static str,
        value: &impl ToString,
        problem: impl Into<String>,
    ) -> Self {
        Self { setting, value: value.to_string(), problem: problem.into() }
    }

    /// Where the value came from: an environment variable (`HOMING_MESH`) or a field (`discovery.seeds`).
    pub const fn setting(&self) -> &'static str {
        self.setting
    }

    /// What was given.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with it, and what would be right.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

/// Why a node did not join. It holds nothing: no socket, no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address cannot be listened at: it is taken, or not this host's.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: TransportAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The rendezvous directory, or the key in it, cannot be trusted or used (decisions B1, B3); it says why.
    #[error(transparent)]
    Rendezvous(Box<dyn std::error::Error + Send + Sync>),
    /// The file with the keys of the mesh cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The file with the node's identity cannot be used, or another process uses it.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Certificates of the user's authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The mesh, or the system, does not let this node in.
    #[error(transparent)]
    Refused(Status),
}

impl JoinError {
    /// The kind of failure: `INVALID_ARGUMENT` for a setting.
    pub const fn code(&self) -> Code {
        match self {
            Self::Config(_) => Code::InvalidArgument,
            Self::Identity(IdentityError::InUse(_)) => Code::AlreadyExists,
            Self::Listen { .. }
            | Self::Rendezvous(_)
            | Self::Authority(_)
            | Self::Keys(_)
            | Self::Identity(_) => Code::FailedPrecondition,
            Self::Refused(status) => status.code,
        }
    }
}

/// Why a service is not offered. What the node offered before, it still does.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The name is no offer's name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A bound was reached, the record would be too large, or it is not allowed; the status says which.
    #[error(transparent)]
    Refused(Status),
    /// The node is closed, or closing.
    #[error("the node is closed")]
    Closed,
}

impl ServeError {
    /// The kind of failure: `INVALID_ARGUMENT` for a name.
    pub const fn code(&self) -> Code {
        match self {
            Self::Name(_) => Code::InvalidArgument,
            Self::Refused(status) => status.code,
            Self::Closed => Code::FailedPrecondition,
        }
    }
}

/// Why nothing was registered, or freed. The registry is as it was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is no service's.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A lifetime that is too short to be kept up.
    #[error("a lifetime of {given:?}: {problem}")]
    Lifetime {
        /// What was given.
        given: Duration,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// An address that nobody could use.
    #[error("address {given:?}: {problem}")]
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// More data than a record can have.
    #[error("data of {given} bytes: a record has at most {RECORD_DATA_MAX}")]
    Data {
        /// How many bytes it has as JSON.
        given: usize,
    },
    /// A bound was reached, the record would be too large, or it is not allowed; the status says which.
    #[error(transparent)]
    Refused(Status),
    /// The node is closed, or closing.
    #[error("the node is closed")]
    Closed,
}

impl RegisterError {
    /// The kind of failure: `INVALID_ARGUMENT` for what can never be registered.
    pub const fn code(&self) -> Code {
        match self {
            Self::Name(_) | Self::Lifetime { .. } | Self::Address { .. } | Self::Data { .. } => {
                Code::InvalidArgument
            }
            Self::Refused(status) => status.code,
            Self::Closed => Code::FailedPrecondition,
        }
    }
}

impl From<Infallible> for RegisterError {
    /// A record is one.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Why nothing was published or subscribed to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The name is no topic's, pattern's or group's.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A bound was reached, a value cannot be written, or it is not allowed; the status says which.
    #[error(transparent)]
    Refused(Status),
    /// The node is closed, or closing.
    #[error("the node is closed")]
    Closed,
}

impl TopicError {
    /// The kind of failure: `INVALID_ARGUMENT` for a name.
    pub const fn code(&self) -> Code {
        match self {
            Self::Name(_) => Code::InvalidArgument,
            Self::Refused(status) => status.code,
            Self::Closed => Code::FailedPrecondition,
        }
    }
}

/// Why there is no link to who was to be at an address. Nobody is kept for it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no address of a node.
    #[error("{given:?}: {problem}")]
    Address {
        /// What was given.
        given: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The name in it leads to no address.
    #[error("{given:?} cannot be resolved: {why}")]
    Unresolved {
        /// What was given.
        given: String,
        /// What the resolver says.
        why: String,
    },
    /// No node of this mesh answered there.
    #[error("nobody was reached: {}", each(tried))]
    Unreachable {
        /// Each address that was tried, and what came of it.
        tried: Vec<(TransportAddr, String)>,
    },
    /// It was not tried, or whoever is there is not to be linked; it says why.
    #[error(transparent)]
    Refused(Status),
    /// The node is closed, or closing.
    #[error("the node is closed")]
    Closed,
}

impl ConnectError {
    /// The kind of failure: `INVALID_ARGUMENT` for what is no address, `UNAVAILABLE` where nobody is.
    pub const fn code(&self) -> Code {
        match self {
            Self::Address { .. } => Code::InvalidArgument,
            Self::Unresolved { .. } | Self::Unreachable { .. } => Code::Unavailable,
            Self::Refused(status) => status.code,
            Self::Closed => Code::FailedPrecondition,
        }
    }
}

fn each(tried: &[(TransportAddr, String)]) -> String {
    let verdicts: Vec<_> =
        tried.iter().map(|(address, why)| format!("{address} ({why})")).collect();
    verdicts.join(", ")
}

/// Why a packet was sent to nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No node of that name is known, and it is no id.
    #[error("no node is called {name:?}")]
    Unknown {
        /// What was given.
        name: String,
    },
    /// Several nodes have that name: one of them is meant by its id.
    #[error("{} nodes are called {name:?}: give the id of one, of {}", nodes.len(), ids(nodes))]
    Ambiguous {
        /// What was given.
        name: String,
        /// Those that are called so, in the order of their ids.
        nodes: Vec<NodeId>,
    },
    /// The packet cannot be written down, or is over 16 MiB.
    #[error(transparent)]
    Packet(Status),
}

impl SendError {
    /// The kind of failure: `NOT_FOUND` or `INVALID_ARGUMENT` for a name.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => Code::NotFound,
            Self::Ambiguous { .. } => Code::InvalidArgument,
            Self::Packet(status) => status.code,
        }
    }
}

fn ids(nodes: &[NodeId]) -> String {
    let ids: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// Why a call has no reply.
///
/// Shown as code and reason: `UNAVAILABLE: no instance of words@^2 (running: 1.2.0)`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", .0.status)]
pub struct CallError(Box<Failed>);

/// Boxed, for a call's result should not be as large as its rarest case.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Failed {
    status: Status,
    instance: Option<Instance>,
}

impl CallError {
    /// `instance`: who the last attempt was sent to, if any was.
    pub(crate) fn new(status: Status, instance: Option<Instance>) -> Self {
        Self(Box::new(Failed { status, instance }))
    }

    /// The kind of failure.
    pub const fn code(&self) -> Code {
        self.0.status.code
    }

    /// All that is known of it.
    pub const fn status(&self) -> &Status {
        &self.0.status
    }

    /// Whether the work can have begun. [`Started::No`]: repeating the call is safe.
    pub const fn started(&self) -> Started {
        self.0.status.started
    }

    /// Who failed; `None` when the call reached nobody.
    pub const fn instance(&self) -> Option<&Instance> {
        self.0.instance.as_ref()
    }
}

impl From<CallError> for Status {
    /// Passes the failure on, code, reason and details: in a handler, `?` on a call does.
    ///
    /// To the handler's own caller, work has begun, whatever became of the inner call: it is [`Started::Maybe`].
    fn from(error: CallError) -> Self {
        Self { started: Started::Maybe, ..error.0.status }
    }
}

impl From<BadName> for CallError {
    /// Text that is no address was called; nothing was sent.
    fn from(name: BadName) -> Self {
        Self::new(Status::not_started(Code::InvalidArgument, name.to_string()), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing_core::name::Address;
    use std::error::Error;

    #[test]
    fn errors_say_what_was_wrong_and_where() {
        let address = TransportAddr::Tcp("127.0.0.1:80".parse().unwrap());
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let name = "a b".parse::<Address>().unwrap_err();
        let full = Status::not_started(Code::ResourceExhausted, "1024 offers are the most");
        let tried = vec![(address.clone(), "refused".to_owned())];
        let nodes = [1, 2].map(|byte| NodeId::from_bytes([byte; 16])).to_vec();
        let twins = SendError::Ambiguous { name: "a".into(), nodes };
        let rows: [(&dyn Error, &str); 8] = [
            (
                &ConnectError::Unreachable { tried },
                "nobody was reached: tcp://127.0.0.1:80 (refused)",
            ),
            (
                &twins,
                "2 nodes are called \"a\": give the id of one, of 01010101010101010101010101010101, \
                 02020202020202020202020202020202",
            ),
            (&ConfigError::new("HOMING_MESH", &"a/b", "no"), "HOMING_MESH \"a/b\": no"),
            (
                &JoinError::Listen { address, source: denied() },
                "cannot listen at tcp://127.0.0.1:80: permission denied",
            ),
            (
                &JoinError::Rendezvous("/tmp/homing is open to others".into()),
                "/tmp/homing is open to others",
            ),
            (&ServeError::Refused(full), "RESOURCE_EXHAUSTED: 1024 offers are the most"),
            (&ServeError::Closed, "the node is closed"),
            (&CallError::from(name.clone()), &format!("INVALID_ARGUMENT: {name}")),
        ];
        for (error, expect) in rows {
            assert_eq!(error.to_string(), expect);
        }
    }

    #[test]
    fn a_failure_that_is_passed_on_keeps_all_but_the_promise_that_nothing_ran() {
        let inner = Status {
            details: "why".into(),
            ..Status::not_started(Code::NotFound, "no such item")
                .retry_after(Duration::from_secs(1))
        };
        let error = CallError::new(inner.clone(), None);
        assert_eq!((error.code(), error.started()), (Code::NotFound, Started::No));
        assert_eq!(Status::from(error), Status { started: Started::Maybe, ..inner });
    }

    #[test]
    fn a_call_error_is_a_pointer_wide() {
        assert_eq!(size_of::<CallError>(), size_of::<usize>());
    }
}
