//! How do values become payloads, and payloads values again?
//!
//! A payload says how it is to be read: MessagePack from typed Rust, JSON and text from people and browsers, raw where
//! bytes are just bytes. The same method serves all four, and answers each caller in the encoding it was asked in.

mod untyped;

use homing_core::talk::{Code, Encoding, Payload, Status};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use untyped::{Plain, Untyped};

/// How deep a payload may nest. A deeper one is refused: its reader's stack is ours.
const DEPTH_MAX: usize = 128;

/// Writes a value down.
///
/// * `MessagePack`: structs as maps with names, so that fields can be added later.
/// * `Json`: as `serde_json` does.
/// * `Text`: a string as it is; anything else as JSON text.
/// * `Raw`: bytes and strings as they are, nothing (`()`, `None`) as no bytes; anything else has no raw form.
///
/// # Errors
/// `INVALID_ARGUMENT` when the value has no form in this encoding (a map with keys that are no strings in JSON, a
/// struct in raw), or when its own `Serialize` fails.
///
/// ```
/// use homing::encoding::to_payload;
/// use homing_core::talk::Encoding;
///
/// assert_eq!(&to_payload("four words of input", Encoding::Text)?.bytes[..], b"four words of input");
/// assert_eq!(&to_payload(&[1, 2], Encoding::Json)?.bytes[..], b"[1,2]");
/// # Ok::<(), homing_core::talk::Status>(())
/// ```
pub fn to_payload<T>(value: &T, encoding: Encoding) -> Result<Payload, Status>
where
    T: Serialize + ?Sized,
{
    let bytes = match encoding {
        Encoding::MessagePack => {
            rmp_serde::to_vec_named(value).map_err(|why| unwritten(encoding, why))
        }
        Encoding::Json => serde_json::to_vec(value).map_err(|why| unwritten(encoding, why)),
        Encoding::Text => text(value).map_err(|why| unwritten(encoding, why)),
        Encoding::Raw => raw(value).map_err(|why| unwritten(encoding, why)),
    };
    Ok(Payload { encoding, bytes: bytes?.into() })
}

/// Reads a value.
///
/// * `MessagePack` and `Json`: the whole payload is one value; bytes behind it are an error.
/// * `Text`: read as JSON; where that gives no `T`, the text itself is offered to `T` as a string.
/// * `Raw`: the bytes are offered to `T`: `bytes::Bytes`, a `ByteBuf`, or a string if they are UTF-8 will take them.
///
/// No bytes at all, in text or raw, are also `()` and `None`.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the encoding, what was expected and, where known, the place.
///
/// ```
/// use homing::encoding::from_payload;
/// use homing_core::talk::{Encoding, Payload};
///
/// let text = |text: &'static str| Payload { encoding: Encoding::Text, bytes: text.into() };
/// assert_eq!(from_payload::<u32>(&text("17"))?, 17);
/// assert_eq!(from_payload::<String>(&text("17"))?, "17");
/// # Ok::<(), homing_core::talk::Status>(())
/// ```
pub fn from_payload<T: DeserializeOwned>(payload: &Payload) -> Result<T, Status> {
    let bytes = &payload.bytes[..];
    match payload.encoding {
        Encoding::MessagePack => from_message_pack(bytes).map_err(|why| unread(payload, why)),
        Encoding::Json => serde_json::from_slice(bytes).map_err(|why| unread(payload, why)),
        Encoding::Text => from_text(bytes).map_err(|why| unread(payload, why)),
        Encoding::Raw => T::deserialize(Untyped::Bytes(bytes)).map_err(|why| unread(payload, why)),
    }
}

/// Writes a reply in the encoding of its request.
///
/// One exception, because the work is done and its result should not be lost: what has no raw form answers a raw
/// request in JSON, and the payload says so.
///
/// # Errors
/// `INTERNAL`, for it is not the caller's doing, when the value cannot be written.
pub fn to_reply<T>(value: &T, asked_in: Encoding) -> Result<Payload, Status>
where
    T: Serialize + ?Sized,
{
    let written = match asked_in {
        Encoding::Raw => to_payload(value, asked_in).or_else(|_| to_payload(value, Encoding::Json)),
        _ => to_payload(value, asked_in),
    };
    written.map_err(|why| Status::new(Code::Internal, format!("the reply: {}", why.message)))
}

fn text<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    if json.first() == Some(&b'"') {
        return serde_json::from_slice::<String>(&json).map(String::into_bytes);
    }
    Ok(json)
}

/// What `T` says it is shows in MessagePack's markers: bytes and strings are told from all else.
fn raw<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let packed = rmp_serde::to_vec(value).map_err(|why| why.to_string())?;
    from_message_pack::<Plain>(&packed).map(|plain| plain.0).map_err(|why| why.to_string())
}

fn from_message_pack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut reader)?;
    // The reader does not tell what is left. Nothing is, if and only if there is no marker of a next value to read;
    // `()` looks at no more than that.
    match <()>::deserialize(&mut reader) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(de::Error::custom("more bytes follow the value")),
    }
}

fn from_text<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(bytes).map_err(|why| why.to_string())?;
    let as_json = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(why) => why,
    };
    T::deserialize(Untyped::Text(text)).map_err(|as_string| {
        if as_json.is_data() {
            as_json.to_string()
        } else {
            format!("{as_string}; and it is not JSON: {as_json}")
        }
    })
}

fn unwritten(encoding: Encoding, why: impl Display) -> Status {
    let message = format!("cannot be written as {encoding}: {why}");
    Status::new(Code::InvalidArgument, message)
}

fn unread(payload: &Payload, why: impl Display) -> Status {
    let (encoding, len) = (payload.encoding, payload.bytes.len());
    let message = format!("a payload of {len} bytes of {encoding} is not what is expected: {why}");
    Status::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests;
