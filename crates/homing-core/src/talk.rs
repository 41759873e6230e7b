//! What do both ends of a conversation have to agree on? Codes, encodings, options, and what became of a failure.

use bytes::Bytes;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How a call ended, in gRPC's canonical codes (<https://grpc.io/docs/guides/status-codes/>).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
#[non_exhaustive]
pub enum Code {
    /// It worked.
    Ok = 0,
    /// The caller went away.
    Cancelled = 1,
    /// An error of unknown kind.
    Unknown = 2,
    /// The caller's input is wrong, whatever the state of the system.
    InvalidArgument = 3,
    /// Time ran out.
    DeadlineExceeded = 4,
    /// What was asked for is not there, and never was.
    NotFound = 5,
    /// What was to be made is there already.
    AlreadyExists = 6,
    /// The caller is known, and may not.
    PermissionDenied = 7,
    /// A bound was reached; the message names it.
    ResourceExhausted = 8,
    /// The system is not in a state for this.
    FailedPrecondition = 9,
    /// A conflict; try the whole again.
    Aborted = 10,
    /// Past the end of something.
    OutOfRange = 11,
    /// Nobody here does that.
    Unimplemented = 12,
    /// A bug or a failed program at the other end.
    Internal = 13,
    /// Not now; it may work later or elsewhere.
    Unavailable = 14,
    /// Data is lost or corrupt.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code with this number; a number from a newer peer reads as [`Code::Unknown`].
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Unknown)
    }

    /// The number, 0 to 16.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in capitals, as gRPC writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the work behind a failed call can have begun.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Started {
    /// Nothing ran: repeating the call elsewhere is always safe.
    No,
    /// It may have run, in part or whole.
    #[default]
    Maybe,
}

/// A failure that crosses the mesh: what, why, whether anything ran, and when to try again.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Status {
    /// What kind of failure.
    pub code: Code,
    /// One clear sentence for people, at most [`MESSAGE_MAX`](crate::limits::MESSAGE_MAX) bytes on the wire.
    pub message: String,
    /// Whether anything can have run.
    pub started: Started,
    /// When it makes sense to try again, if the sender knows.
    pub retry_after: Option<Duration>,
    /// Opaque to the mesh, for programs; at most [`DETAILS_MAX`](crate::limits::DETAILS_MAX) bytes on the wire.
    pub details: Bytes,
}

impl Status {
    /// A failure after which the work may have run.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            started: Started::Maybe,
            retry_after: None,
            details: Bytes::new(),
        }
    }

    /// A failure before anything ran.
    pub fn not_started(code: Code, message: impl Into<String>) -> Self {
        Self { started: Started::No, ..Self::new(code, message) }
    }

    /// The same failure with a hint when to try again.
    #[must_use]
    pub fn retry_after(self, span: Duration) -> Self {
        Self { retry_after: Some(span), ..self }
    }
}

/// How a payload is to be read. Travels with every payload; the mesh itself never looks inside.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Encoding {
    /// Bytes without a meaning known to the mesh.
    #[default]
    Raw = 0,
    /// MessagePack, structs as maps with names.
    MessagePack = 1,
    /// JSON.
    Json = 2,
    /// UTF-8 text.
    Text = 3,
}

impl Encoding {
    /// The encoding with this number, if there is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Raw),
            1 => Some(Self::MessagePack),
            2 => Some(Self::Json),
            3 => Some(Self::Text),
            _ => None,
        }
    }

    /// The name used in commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::MessagePack => "msgpack",
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that names no encoding.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no encoding is called {given:?}: raw, msgpack, json and text are")]
pub struct BadEncoding {
    given: String,
}

impl FromStr for Encoding {
    type Err = BadEncoding;

    fn from_str(text: &str) -> Result<Self, BadEncoding> {
        [Self::Raw, Self::MessagePack, Self::Json, Self::Text]
            .into_iter()
            .find(|encoding| encoding.name() == text)
            .ok_or_else(|| BadEncoding { given: text.chars().take(64).collect() })
    }
}

/// What may accompany a request or a reply: small, bounded, mostly absent.
///
/// On the wire each is key, length, value; keys below 64 are the mesh's own, an even key may be skipped by who does
/// not know it, an odd one must be refused with [`Code::Unimplemented`] (decisions A7). All together at most
/// [`OPTIONS_MAX`](crate::limits::OPTIONS_MAX) bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// W3C trace context: `traceparent` (<https://www.w3.org/TR/trace-context/>), opaque here. Key 2.
    pub trace: Bytes,
    /// A signed token. Key 4.
    pub token: Bytes,
    /// Two submissions with one key are one. Key 6.
    pub idempotency_key: Bytes,
    /// How often this call was tried before; 0 the first time. Key 8.
    pub attempt: u8,
    /// The user's own names and values, in the order given. Key 10, once each.
    pub metadata: Vec<(String, Bytes)>,
    /// The payload is none, and its bytes are empty: a stream is opened before its first item, or ended without a last
    /// one. Key 12.
    pub nothing: bool,
    /// The foreign system on whose behalf a bridge calls, as `bridge:NAME`. Key 13: who does not know it must not take
    /// what is foreign for the bridge itself.
    pub origin: Bytes,
    /// With a request: the slot that it is made on. With a reply: that slot is not the caller's (any more). Key 14.
    pub slot: Option<OnSlot>,
    /// On arrival: an odd key that is not known here. The conversation is refused with [`Code::Unimplemented`].
    pub not_understood: Option<u64>,
}

impl Options {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.trace.is_empty()
            && self.token.is_empty()
            && self.idempotency_key.is_empty()
            && self.attempt == 0
            && self.origin.is_empty()
            && self.metadata.is_empty()
            && !self.nothing
            && self.slot.is_none()
    }
}

/// A slot of the instance that is called ([`slots`](crate::slots)), and who holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OnSlot {
    /// The number that its holder goes by, among those of the caller's node.
    pub holder: u64,
    /// The slot's.
    pub number: u32,
}

/// A payload and how to read it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payload {
    /// How to read the bytes.
    pub encoding: Encoding,
    /// The bytes.
    pub bytes: Bytes,
}

impl Payload {
    /// Bytes without a meaning known to the mesh.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { encoding: Encoding::Raw, bytes: bytes.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_grpc_numbers_and_unknown_ones_are_unknown() {
        for (number, code) in (0_u8..).zip(Code::ALL) {
            assert_eq!(Code::from_number(number), code);
            assert_eq!(code.number(), number);
        }
        assert_eq!(Code::from_number(200), Code::Unknown);
    }

    #[test]
    fn an_encoding_reads_back_from_number_and_name() {
        for number in 0..=3 {
            let encoding = Encoding::from_number(number).unwrap();
            assert_eq!(encoding as u8, number);
            assert_eq!(encoding.name().parse(), Ok(encoding));
        }
        assert_eq!(Encoding::from_number(4), None);
        assert!("xml".parse::<Encoding>().unwrap_err().to_string().contains("xml"));
    }
}
