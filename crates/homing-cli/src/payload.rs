//! What is sent? The argument, or stdin, or nothing; and what kind of payload that is (decisions E4).

use anyhow::Context as _;
use serde::de::IgnoredAny;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;
use std::str;

use crate::args::{InputArgs, TypedEncoding};
use crate::exit::Failure;
use homing::{Code, Encoding, Payload, Status, limits::PAYLOAD_MAX};

/// Reads what is to be sent, to its end. Nobody waits for a deadline yet.
pub(crate) fn read(args: &InputArgs) -> Result<Payload, Failure> {
    let bytes = match &args.payload {
        Some(text) => text.as_bytes().to_vec(),
        None if args.nothing || io::stdin().is_terminal() => Vec::new(),
        None => drain(io::stdin().lock())?,
    };
    of_bytes(bytes, args.encoding)
}

/// What these bytes are as a payload: of the kind that was typed, or of the one that they are.
pub(crate) fn of_bytes(bytes: Vec<u8>, typed: Option<TypedEncoding>) -> Result<Payload, Failure> {
    let encoding = encoding_of(&bytes, typed)?;
    Ok(Payload { encoding, bytes: bytes.into() })
}

fn drain(input: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let max = u64::try_from(PAYLOAD_MAX).unwrap_or(u64::MAX);
    input.take(max + 1).read_to_end(&mut bytes).context("cannot read stdin")?;
    if bytes.len() > PAYLOAD_MAX {
        let message = format!("the payload on stdin is longer than {PAYLOAD_MAX} bytes");
        return Err(Status::not_started(Code::ResourceExhausted, message).into());
    }
    Ok(bytes)
}

fn encoding_of(bytes: &[u8], typed: Option<TypedEncoding>) -> Result<Encoding, Failure> {
    match typed {
        Some(TypedEncoding::Json) => serde_json::from_slice::<IgnoredAny>(bytes)
            .map(|_| Encoding::Json)
            .map_err(|error| Failure::Usage(format!("the payload is not JSON: {error}"))),
        Some(TypedEncoding::Text) => str::from_utf8(bytes)
            .map(|_| Encoding::Text)
            .map_err(|error| Failure::Usage(format!("the payload is not UTF-8 text: {error}"))),
        None if str::from_utf8(bytes).is_ok() => Ok(Encoding::Text),
        None | Some(TypedEncoding::Raw) => Ok(Encoding::Raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], typed: Option<TypedEncoding>, expect: Result<Encoding, &str>) {
        let found = encoding_of(bytes, typed).map_err(|failure| failure.to_string());
        match (&found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(*found, expect),
            (Err(message), Err(start)) => assert!(message.starts_with(start), "{message}"),
            _ => panic!("{found:?}"),
        }
    }

    #[test]
    fn bytes_are_text_if_they_can_be_and_raw_otherwise() {
        check(b"four words of input", None, Ok(Encoding::Text));
        check(b"", None, Ok(Encoding::Text));
        check(b"\xff\xfe", None, Ok(Encoding::Raw));
    }

    #[test]
    fn what_was_typed_is_checked_before_it_is_sent() {
        check(b"{\"a\": 1}", Some(TypedEncoding::Json), Ok(Encoding::Json));
        check(b"{a", Some(TypedEncoding::Json), Err("the payload is not JSON: "));
        check(b"\xff", Some(TypedEncoding::Text), Err("the payload is not UTF-8 text: "));
        check(b"text", Some(TypedEncoding::Raw), Ok(Encoding::Raw));
    }

    #[test]
    fn a_payload_above_the_limit_is_refused_by_name() {
        let failure = drain(io::repeat(b'x')).unwrap_err();
        assert!(failure.to_string().starts_with("RESOURCE_EXHAUSTED: the payload on stdin"));
        assert_eq!(drain(&b"short"[..]).unwrap(), b"short");
    }
}
