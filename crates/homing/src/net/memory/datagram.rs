//! What becomes of a datagram in memory? It arrives late, out of order, or not at all.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use super::super::{Datagrams, is_shared};
use super::{Fabric, State};

/// Datagrams on the way to one socket; further ones are lost.
const MAIL_MAX: usize = 1_024;

/// A socket for datagrams in memory.
pub(super) struct Mailbox {
    fabric: Arc<Fabric>,
    host: IpAddr,
    local: SocketAddr,
    slot: Arc<Mutex<MailSlot>>,
    /// Runs while the next datagram is on its way. Locked by the one task that receives.
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
}

/// What is on its way to a socket, by time of arrival.
#[derive(Default)]
pub(super) struct MailSlot {
    mail: BTreeMap<(Instant, u64), Mail>,
    sequence: u64,
    waker: Option<Waker>,
}

struct Mail {
    bytes: Vec<u8>,
    from: SocketAddr,
}

/// What a look into the slot finds.
enum Found {
    Arrived(Mail),
    Due(Instant),
    Nothing,
}

impl Mailbox {
    pub(super) fn new(
        fabric: Arc<Fabric>,
        host: IpAddr,
        local: SocketAddr,
        slot: Arc<Mutex<MailSlot>>,
    ) -> Self {
        Self { fabric, host, local, slot, timer: Mutex::new(None) }
    }

    fn look(&self, waker: Waker) -> Found {
        let mut slot = self.slot.lock();
        let first = slot.mail.first_entry();
        let found = match first {
            Some(entry) if entry.key().0 <= Instant::now() => Found::Arrived(entry.remove()),
            Some(entry) => Found::Due(entry.key().0),
            None => Found::Nothing,
        };
        let before = slot.waker.replace(waker);
        drop(slot);
        drop(before);
        found
    }
}

impl Datagrams for Mailbox {
    fn local(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            match self.look(cx.waker().clone()) {
                Found::Arrived(Mail { bytes, from }) => {
                    let length = bytes.len().min(into.len());
                    into[..length].copy_from_slice(&bytes[..length]);
                    return Poll::Ready(Ok((length, from)));
                }
                Found::Nothing => return Poll::Pending,
                Found::Due(at) => {
                    let mut timer = self.timer.lock();
                    let sleep = timer.insert(Box::pin(tokio::time::sleep_until(at)));
                    std::task::ready!(sleep.as_mut().poll(cx));
                }
            }
        }
    }

    fn try_send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut state = self.fabric.state.lock();
        let mut slots = Vec::new();
        for ((host, at), found) in &state.mail {
            let meant = is_shared(to.ip()) || *host == self.meant(to.ip());
            if *at == to && meant && state.reachable(self.host, *host) {
                slots.extend(found.iter().map(Arc::clone));
            }
        }
        let travels: Vec<_> = slots.iter().map(|_| state.travel()).collect();
        drop(state);
        let mut woken = Vec::new();
        for (slot, travel) in slots.iter().zip(travels) {
            if let Some(span) = travel {
                let mail = Mail { bytes: bytes.to_vec(), from: self.local };
                woken.extend(slot.lock().post(Instant::now() + span, mail));
            }
        }
        woken.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Mailbox {
    /// The host that an address means from here.
    fn meant(&self, ip: IpAddr) -> IpAddr {
        if ip.is_loopback() { self.host } else { ip }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut state = self.fabric.state.lock();
        let key = (self.host, self.local);
        if let Some(slots) = state.mail.get_mut(&key) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                state.mail.remove(&key);
            }
        }
    }
}

impl MailSlot {
    fn post(&mut self, at: Instant, mail: Mail) -> Option<Waker> {
        if self.mail.len() >= MAIL_MAX {
            return None;
        }
        self.sequence += 1;
        self.mail.insert((at, self.sequence), mail);
        self.waker.take()
    }
}

impl State {
    /// How long a datagram travels; `None`: it is lost.
    fn travel(&mut self) -> Option<Duration> {
        let (min, max) = self.weather.latency;
        if self.rng.chance(self.weather.loss_percent.into(), 100) {
            return None;
        }
        let spread = u64::try_from(max.saturating_sub(min).as_micros()).unwrap_or(u64::MAX);
        Some(min + Duration::from_micros(self.rng.below(spread.saturating_add(1))))
    }
}
