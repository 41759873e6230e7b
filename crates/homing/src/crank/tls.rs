//! How does a link talk over TLS? One rustls connection stands before its machine, under the machine's lock.
//!
//! Nothing of the peer reaches the machine, and nothing of the machine the peer, before the TLS handshake is complete;
//! then the machine is told what its own handshake has to be bound to. The machine keeps the time of both: whoever is
//! slow is slow at its cost. A connection that ends without a word is a broken link, as without TLS.
//!
//! rustls' buffered interface was chosen over its *unbuffered* one: that saves a copy of what is read (15 % of
//! decryption), but cannot export the secret that the link's proofs need.

use super::reader::READ_BUFFER;
use super::writer::PARTS_MAX;
use crate::security::{Session, long_handshake, not_tls, plain_homing, refusal};
use bytes::BytesMut;
use homing_core::crypto::Role;
use homing_core::limits::TLS_HANDSHAKE_MAX;
use homing_core::link::{Input, Link};
use homing_core::talk::Status;
use homing_core::time::Time;
use homing_core::wire::{Buffer as _, Frame, Gather};
use std::cell::RefCell;
use std::io::{self, BufRead as _, IoSlice, Write as _};

/// The most that is encrypted in one holding of the lock. What is decrypted is bounded by the reader's buffer.
const ENCRYPTED_MAX: usize = 64 * 1024;

thread_local! {
    /// Room for what is about to be encrypted, so that a link at rest holds none.
    static SAID: RefCell<Gather> = const { RefCell::new(Gather::new()) };
}

/// The most room that a thread keeps.
const SAID_KEPT: usize = 512 * 1024;

/// The kinds of TLS records there are; nothing else begins a byte stream of TLS.
const RECORD_KINDS: std::ops::RangeInclusive<u8> = 20..=23;

/// The TLS of one link.
pub(crate) struct Tls {
    session: Session,
    stage: Stage,
    /// Decrypted, and not yet a whole frame.
    clear: BytesMut,
    /// Said by the machine, and not yet encrypted.
    said: Gather,
}

enum Stage {
    /// Nothing has come.
    Silence,
    /// The peer speaks TLS, and has yet to complete its handshake, of which so many bytes have come.
    Handshake { heard: usize },
    /// The machines talk.
    Open,
    /// Our last word is said; what stands here is to be sent instead of TLS.
    Over(Vec<u8>),
}

impl Tls {
    pub(super) fn new(session: Session) -> Self {
        Self { session, stage: Stage::Silence, clear: BytesMut::new(), said: Gather::new() }
    }

    /// Takes all of `bytes`, and gives the machine what they say.
    pub(super) fn receive(&mut self, now: Time, link: &mut Link, bytes: &mut BytesMut) {
        let taken = match self.recognise(bytes) {
            Ok(()) => self.decrypt(now, link, bytes),
            Err(status) => Err(status),
        };
        bytes.clear();
        if matches!(self.stage, Stage::Open) && !self.clear.is_empty() {
            link.handle_input(now, Input::Bytes(&mut self.clear));
        }
        match taken {
            Ok(Peer::Speaks) => {}
            Ok(Peer::Ended) => {
                link.handle_input(now, Input::Broken("the peer ended the connection".into()));
            }
            Err(status) => {
                self.say_no_more();
                link.handle_input(now, Input::Close(status));
            }
        }
    }

    /// Appends what is to be sent next; whether there was anything.
    pub(super) fn transmit(&mut self, now: Time, link: &mut Link, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        if matches!(self.stage, Stage::Open) {
            self.encrypt(now, link);
        }
        if link.poll_timeout().is_none() && !self.has_words(link) {
            self.say_last_word();
        }
        if let Stage::Over(plain) = &mut self.stage {
            out.append(plain);
        }
        while self.session.connection.wants_write() {
            self.session.connection.write_tls(out).expect("a vector takes any bytes");
        }
        out.len() > before
    }

    /// Whether [`transmit`](Self::transmit) would append anything.
    pub(super) fn has_transmit(&self, link: &Link) -> bool {
        if self.session.connection.wants_write() {
            return true;
        }
        match &self.stage {
            Stage::Silence | Stage::Handshake { .. } | Stage::Open => {
                self.has_words(link) || link.poll_timeout().is_none()
            }
            Stage::Over(plain) => !plain.is_empty(),
        }
    }

    /// Whether the machine has said something that may be sent.
    fn has_words(&self, link: &Link) -> bool {
        matches!(self.stage, Stage::Open) && (!self.said.is_empty() || link.has_transmit())
    }

    /// Whether it is TLS at all that the other side speaks.
    fn recognise(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let (Stage::Silence, Some(first)) = (&self.stage, bytes.first()) else { return Ok(()) };
        if RECORD_KINDS.contains(first) {
            self.stage = Stage::Handshake { heard: 0 };
            return Ok(());
        }
        let (mut plain, mut status) = (Vec::new(), not_tls());
        if *first == b'H' && self.session.role() == Role::Acceptor {
            // A node without the key, which reads no TLS: it is told why in its own words.
            status = plain_homing();
            Frame::Close(Box::new(status.clone())).encode(&mut plain);
        }
        self.stage = Stage::Over(plain);
        Err(status)
    }

    fn decrypt(&mut self, now: Time, link: &mut Link, bytes: &[u8]) -> Result<Peer, Status> {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.stage, Stage::Over(_)) {
            let connection = &mut self.session.connection;
            let too_much = |error: io::Error| refusal(&rustls::Error::General(error.to_string()));
            let taken = connection.read_tls(&mut rest).map_err(too_much)?;
            if taken == 0 {
                return Ok(Peer::Ended);
            }
            let state = connection.process_new_packets().map_err(|error| refusal(&error))?;
            if let Stage::Handshake { heard } = self.stage {
                self.shake_hands(now, link, heard + taken)?;
            }
            self.take_clear();
            if state.peer_has_closed() {
                return Ok(Peer::Ended);
            }
        }
        Ok(Peer::Speaks)
    }

    /// So many bytes of the peer's handshake have come.
    fn shake_hands(&mut self, now: Time, link: &mut Link, heard: usize) -> Result<(), Status> {
        if !self.session.connection.is_handshaking() {
            return self.complete(now, link);
        }
        self.stage = Stage::Handshake { heard };
        if heard > TLS_HANDSHAKE_MAX { Err(long_handshake()) } else { Ok(()) }
    }

    fn complete(&mut self, now: Time, link: &mut Link) -> Result<(), Status> {
        let channel = self.session.channel().map_err(|error| refusal(&error))?;
        self.stage = Stage::Open;
        self.clear = BytesMut::with_capacity(READ_BUFFER);
        link.handle_input(now, Input::Channel(channel));
        Ok(())
    }

    fn take_clear(&mut self) {
        let mut reader = self.session.connection.reader();
        while let Ok(chunk) = reader.fill_buf()
            && !chunk.is_empty()
        {
            let taken = chunk.len();
            self.clear.extend_from_slice(chunk);
            reader.consume(taken);
        }
    }

    /// Encrypts what the machine says next.
    fn encrypt(&mut self, now: Time, link: &mut Link) {
        let mut said = std::mem::take(&mut self.said);
        if said.is_empty() {
            said = SAID.take();
        }
        if said.length() < ENCRYPTED_MAX {
            link.poll_transmit(now, &mut said);
        }
        let taken = self.encrypt_some(&said);
        said.advance(taken);
        if said.is_empty() {
            said.clear(SAID_KEPT);
            SAID.replace(said);
        } else {
            self.said = said;
        }
    }

    /// As much as may be in one holding of the lock; how much that was.
    fn encrypt_some(&mut self, said: &Gather) -> usize {
        let mut parts = [IoSlice::new(&[]); PARTS_MAX];
        let (mut count, mut room) = (0, ENCRYPTED_MAX);
        for (place, part) in parts.iter_mut().zip(said.parts()) {
            let part = &part[..part.len().min(room)];
            room -= part.len();
            *place = IoSlice::new(part);
            count += 1;
        }
        let mut writer = self.session.connection.writer();
        writer.write_vectored(&parts[..count]).expect("rustls was given no bound")
    }

    /// The peer is told that nothing follows; what the machine has left to say is not heard.
    fn say_last_word(&mut self) {
        if !matches!(self.stage, Stage::Over(_)) {
            self.session.connection.send_close_notify();
            self.say_no_more();
        }
    }

    fn say_no_more(&mut self) {
        if !matches!(self.stage, Stage::Over(_)) {
            self.stage = Stage::Over(Vec::new());
        }
        self.said = Gather::new();
    }
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Peer {
    Speaks,
    Ended,
}
