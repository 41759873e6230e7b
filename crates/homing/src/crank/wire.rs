//! How do a link's bytes travel? As they are, or over TLS; the crank does not know which (decisions D4).

use super::tls::Tls;
use crate::net::Socket;
use crate::security::Session;
use bytes::BytesMut;
use homing_core::link::{Input, Link};
use homing_core::time::Time;
use homing_core::wire::{Buffer as _, Gather};

/// A connection, and how bytes travel over it.
pub(crate) struct Line {
    pub(crate) socket: Box<dyn Socket>,
    pub(crate) wire: Wire,
}

/// What stands between a socket and a link's machine, under the machine's lock.
pub(crate) enum Wire {
    /// Nothing.
    Plain,
    /// A channel that nobody reads or changes.
    Tls(Box<Tls>),
}

impl Wire {
    /// Encrypted, from the first byte on.
    pub(crate) fn over(session: Session) -> Self {
        Self::Tls(Box::new(Tls::new(session)))
    }

    /// Gives the machine what has come from the socket. What it does not take yet stays in `bytes`, or here.
    pub(super) fn receive(&mut self, now: Time, link: &mut Link, bytes: &mut BytesMut) {
        match self {
            Self::Plain => link.handle_input(now, Input::Bytes(bytes)),
            Self::Tls(tls) => tls.receive(now, link, bytes),
        }
    }

    /// Appends what the socket is to be given next; whether there was anything.
    pub(super) fn transmit(&mut self, now: Time, link: &mut Link, out: &mut Gather) -> bool {
        match self {
            Self::Plain => link.poll_transmit(now, out),
            Self::Tls(tls) => tls.transmit(now, link, out.bytes()),
        }
    }

    /// Whether [`transmit`](Self::transmit) would append anything.
    pub(super) fn has_transmit(&self, link: &Link) -> bool {
        match self {
            Self::Plain => link.has_transmit(),
            Self::Tls(tls) => tls.has_transmit(link),
        }
    }
}
