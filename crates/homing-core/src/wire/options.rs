//! How are the options of a call or reply written?
//!
//! ```text
//! length varint, then each option: key varint, length varint, value
//! 2 trace context   4 token   6 idempotency key   8 attempt u8   13 origin
//! 10 metadata: name str, value (once each)   12 nothing (empty): the payload is none
//! 14 slot: holder varint, number varint
//! ```
//! Keys below 64 are the mesh's. An even key that is not known is skipped, an odd one has the
//! conversation refused with `UNIMPLEMENTED`.

use crate::limits::OPTIONS_MAX;
use crate::talk::{OnSlot, Options};
use crate::wire::codec::{Malformed, Reader, put_bytes, put_str, put_varint};
use bytes::Bytes;

const TRACE: u64 = 2;
const TOKEN: u64 = 4;
const IDEMPOTENCY_KEY: u64 = 6;
const ATTEMPT: u64 = 8;
const METADATA: u64 = 10;
const NOTHING: u64 = 12;
const ORIGIN: u64 = 13;
const SLOT: u64 = 14;

/// Appends options. Who sends them has checked [`options_len`] against [`OPTIONS_MAX`].
pub fn put_options(out: &mut Vec<u8>, options: &Options) {
    put_bytes(out, &listed(options));
}

/// Bytes that [`put_options`] appends after the length: what [`OPTIONS_MAX`] bounds.
pub fn options_len(options: &Options) -> usize {
    listed(options).len()
}

/// Reads what [`put_options`] wrote.
///
/// # Errors
/// They are over their limit or cut off. An unknown odd key is no error here but told in the options.
pub fn read_options(reader: &mut Reader<'_>) -> Result<Options, Malformed> {
    let mut list = Reader::new(reader.bytes(OPTIONS_MAX)?);
    let mut options = Options::default();
    while !list.is_empty() {
        let key = list.varint()?;
        let value = list.bytes(OPTIONS_MAX)?;
        match key {
            TRACE => options.trace = Bytes::copy_from_slice(value),
            TOKEN => options.token = Bytes::copy_from_slice(value),
            IDEMPOTENCY_KEY => options.idempotency_key = Bytes::copy_from_slice(value),
            ORIGIN => options.origin = Bytes::copy_from_slice(value),
            ATTEMPT => options.attempt = Reader::new(value).u8()?,
            METADATA => {
                let mut pair = Reader::new(value);
                let name = pair.str(OPTIONS_MAX)?.to_owned();
                options.metadata.push((name, Bytes::copy_from_slice(pair.rest())));
            }
            NOTHING => options.nothing = true,
            SLOT => {
                let mut slot = Reader::new(value);
                options.slot = Some(OnSlot { holder: slot.varint()?, number: slot.varint32()? });
            }
            key if key % 2 == 1 => _ = options.not_understood.get_or_insert(key),
            _ => {}
        }
    }
    Ok(options)
}

fn listed(options: &Options) -> Vec<u8> {
    let mut list = Vec::with_capacity(64);
    for (key, value) in [
        (TRACE, &options.trace),
        (TOKEN, &options.token),
        (IDEMPOTENCY_KEY, &options.idempotency_key),
        (ORIGIN, &options.origin),
    ] {
        if !value.is_empty() {
            put_varint(&mut list, key);
            put_bytes(&mut list, value);
        }
    }
    if options.attempt > 0 {
        put_varint(&mut list, ATTEMPT);
        put_bytes(&mut list, &[options.attempt]);
    }
    for (name, value) in &options.metadata {
        let mut pair = Vec::with_capacity(name.len() + value.len() + 2);
        put_str(&mut pair, name);
        pair.extend_from_slice(value);
        put_varint(&mut list, METADATA);
        put_bytes(&mut list, &pair);
    }
    if options.nothing {
        put_varint(&mut list, NOTHING);
        put_bytes(&mut list, &[]);
    }
    if let Some(OnSlot { holder, number }) = options.slot {
        let mut slot = Vec::with_capacity(16);
        put_varint(&mut slot, holder);
        put_varint(&mut slot, number.into());
        put_varint(&mut list, SLOT);
        put_bytes(&mut list, &slot);
    }
    list
}

#[cfg(test)]
pub(crate) mod tests;
