//! What must hold of the decoders of links and datagrams?

use crate::crypto::fake::Fake;
use crate::crypto::{Crypto, KeyId, Seal};
use crate::id::{Epoch, NodeId};
use crate::limits::{ADDRESSES_MAX, DATAGRAM_MAX, FRAME_MAX, HELLO_MAX, OPTIONS_MAX};
use crate::talk::Options;
use crate::wire::addr::{put_addrs, read_addrs};
use crate::wire::datagram::{self, DatagramKind, HEADER_LEN, Refused};
use crate::wire::options::{options_len, put_options, read_options};
use crate::wire::slots::Letter;
use crate::wire::{Frame, Hello, Reader, Scout};
use bytes::BytesMut;

/// Bytes of a link after its handshake: every frame reads back, however its bytes are cut, and no more is kept than may
/// become one frame.
pub fn frame(bytes: &[u8]) {
    let at_once = read_frames(bytes, bytes.len().max(1));
    let in_pieces = read_frames(bytes, bytes.len() / 16 + 1);
    assert_eq!(at_once, in_pieces, "what is read depends on how the bytes are cut");
    for frame in at_once {
        let frame = as_sent(frame);
        let mut out = Vec::new();
        frame.encode(&mut out);
        let mut again = BytesMut::from(&out[..]);
        assert_eq!(Frame::decode(&mut again), Ok(Some(frame)), "a frame that does not read back");
        assert!(again.is_empty(), "a frame that leaves {} bytes", again.len());
    }
}

/// All frames up to the end, or to the first that is none; the bytes come `step` at a time.
fn read_frames(bytes: &[u8], step: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            let before = buffer.len();
            match Frame::decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => {
                    assert_eq!(
                        buffer.len(),
                        before,
                        "bytes taken of a frame that is not all there"
                    );
                    assert!(before < FRAME_MAX + 5, "{before} bytes wait for one frame");
                    break;
                }
                Err(_) => return frames,
            }
        }
    }
    frames
}

/// The frame without what only a reader notes.
fn as_sent(mut frame: Frame) -> Frame {
    if let Frame::Open { piece, .. } | Frame::Data { piece, .. } = &mut frame
        && let Some(options) = &mut piece.options
    {
        options.not_understood = None;
    }
    frame
}

/// The first bytes of a link: a Hello reads back and is within its bound, and one that is refused stays refused whatever
/// follows.
pub fn hello(bytes: &[u8]) {
    let read = Hello::decode(bytes);
    let longer = Hello::decode(&[bytes, &[0; 7]].concat());
    match read {
        Ok(None) => assert!(bytes.len() < HELLO_MAX, "{} bytes wait for one Hello", bytes.len()),
        Err(malformed) => assert_eq!(longer, Err(malformed), "refused, then believed"),
        Ok(Some((hello, used))) => {
            assert!(used <= bytes.len().min(HELLO_MAX), "a Hello of {used} bytes");
            assert_eq!(longer, Ok(Some((hello.clone(), used))), "what follows changes a Hello");
            let mut out = Vec::new();
            hello.encode(&mut out);
            let len = out.len();
            assert_eq!(
                Hello::decode(&out),
                Ok(Some((hello, len))),
                "a Hello that does not read back"
            );
        }
    }
}

/// A letter about slots: it reads back.
pub fn slots(bytes: &[u8]) {
    let Ok(letter) = Letter::decode(bytes) else { return };
    assert_eq!(Letter::decode(&letter.encode()), Ok(letter), "a letter that does not read back");
}

/// The options of a call: they read back, within their bound.
pub fn options(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(read) = read_options(&mut reader) else { return };
    assert!(options_len(&read) <= OPTIONS_MAX, "options that may not be passed on");
    let sent = Options { not_understood: None, ..read };
    let mut out = Vec::new();
    put_options(&mut out, &sent);
    assert_eq!(read_options(&mut Reader::new(&out)), Ok(sent), "options that do not read back");
}

/// A list of transport addresses: it reads back, within its bound.
pub fn addresses(bytes: &[u8]) {
    let Ok(addresses) = read_addrs(&mut Reader::new(bytes)) else { return };
    assert!(addresses.len() <= ADDRESSES_MAX);
    let mut out = Vec::new();
    put_addrs(&mut out, &addresses);
    let again = read_addrs(&mut Reader::new(&out));
    assert_eq!(again, Ok(addresses), "addresses that do not read back");
}

/// A datagram: as it comes it is refused, unless the forger knows the key; with a tag that is right it opens to what its
/// bytes say, for its receiver alone.
pub fn datagram(bytes: &[u8]) {
    let me = NodeId::from_bytes([0xbb; 16]);
    let _ = datagram::open(me, &mut bytes.to_vec(), &Fake::PLAIN);
    if bytes.len() < HEADER_LEN {
        return;
    }
    let body = &bytes[HEADER_LEN..];
    let mut sealed = bytes.to_vec();
    let Some(seal) = seal_of(bytes) else { return };
    if !Fake::PLAIN.seal(&seal, HEADER_LEN, &mut sealed) {
        return; // With a key that is not held.
    }
    let len = sealed.len();
    match datagram::open(me, &mut sealed, &Fake::PLAIN) {
        Ok(header) => {
            assert!(len <= DATAGRAM_MAX, "a datagram of {len} bytes was read");
            assert_eq!(sealed[HEADER_LEN..], *body, "opening changed the body");
            assert_ne!(header.sender, me, "our own words came back and were heard");
            let mut again = datagram::seal(&header, &[], &Fake::PLAIN).expect("the key is held");
            assert_eq!(datagram::open(me, &mut again, &Fake::PLAIN), Ok(header));
            if header.kind == DatagramKind::Scout {
                scout(body);
            }
        }
        Err(refused) => assert_ne!(refused, Refused::Forged, "the tag was right"),
    }
}

/// What the header says of its seal.
fn seal_of(bytes: &[u8]) -> Option<Seal> {
    let mut reader = Reader::new(bytes);
    reader.take(4).ok()?;
    let (key, sender) = (KeyId(reader.u32().ok()?), NodeId::from_bytes(reader.array().ok()?));
    reader.take(16).ok()?;
    Some(Seal { key, sender, epoch: Epoch(reader.u64().ok()?), counter: reader.u64().ok()? })
}

fn scout(body: &[u8]) {
    let Ok(scout) = Scout::decode(body) else { return };
    let mut out = Vec::new();
    scout.encode(&mut out);
    assert_eq!(Scout::decode(&out), Ok(scout), "a scout that does not read back");
}
