//! What does the owner of a link know, and may therefore expect?

use super::script::{Saying, Size, Way, target};
use crate::limits::{FRAME_MAX, HELLO_MAX};
use crate::link::{
    Asks, CallId, Conversation, Input, Item, Link, LinkConfig, Open, Output, Party, Place,
    RequestId, Room, Shape, TargetKey,
};
use crate::talk::Payload;
use crate::time::Time;
use crate::wire::Target;
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What a link has told its owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Shaking,
    Up,
    Over,
}

/// A link, and what its owner knows.
pub(super) struct Watched {
    pub(super) link: Link,
    inbox: BytesMut,
    pub(super) life: Life,
    most: usize,
    /// Calls that have neither ended nor been cancelled, by their tokens.
    pub(super) calls: BTreeMap<u64, CallId>,
    token: u64,
    /// Requests that nobody has answered yet.
    pub(super) working: Vec<RequestId>,
    /// Items that came and were not taken.
    items: VecDeque<(Party, Item)>,
    target: Arc<Target>,
}

impl Watched {
    pub(super) fn new(config: LinkConfig) -> Self {
        let most = config.hello.windows.conversations as usize;
        Self {
            link: Link::new(config, Time::ZERO),
            inbox: BytesMut::new(),
            life: Life::Shaking,
            most,
            calls: BTreeMap::new(),
            token: 0,
            working: Vec::new(),
            items: VecDeque::new(),
            target: Arc::new(target()),
        }
    }

    pub(super) fn hear(&mut self, now: Time, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.link.handle_input(now, Input::Bytes(&mut self.inbox));
        self.note();
        let waits = self.inbox.len();
        let most = FRAME_MAX.max(HELLO_MAX) + 5;
        assert!(self.life == Life::Over || waits < most, "{waits} bytes wait for one frame");
    }

    pub(super) fn say(&mut self, now: Time) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ready = self.link.has_transmit();
        let wrote = self.link.poll_transmit(now, &mut bytes);
        assert_eq!(wrote, !bytes.is_empty(), "it says that it wrote");
        assert!(ready || !wrote, "it wrote what it said it had not");
        self.note();
        bytes
    }

    pub(super) fn handle(&mut self, now: Time, input: Input<'_>) {
        self.link.handle_input(now, input);
        self.note();
    }

    pub(super) fn wake(&mut self, now: Time) {
        self.link.handle_timeout(now);
        self.note();
        assert!(self.link.poll_timeout().is_none_or(|due| due > now), "a timer that is always due");
    }

    pub(super) fn call(&mut self, now: Time, size: Size, deadline: Option<u8>) {
        self.open(now, size, deadline, Shape::Call);
    }

    pub(super) fn stream(&mut self, now: Time, size: Size, saying: Saying) {
        let asks = match saying {
            Saying::All => Asks::All,
            Saying::First => Asks::First,
            Saying::Nothing => Asks::Nothing,
        };
        self.open(now, size, None, Shape::Stream { asks, idle: Some(Duration::from_millis(50)) });
    }

    pub(super) fn item(&mut self, now: Time, (way, which): (Way, u8), size: Size) {
        let Some(conversation) = self.conversation(way, which) else { return };
        if self.link.room(conversation) != Room::Full {
            let (payload, place) = (Payload::raw(size.bytes()), Place::Partial);
            self.handle(now, Input::Item { conversation, payload, options: None, place });
        }
    }

    pub(super) fn end_items(&mut self, now: Time, way: Way, which: u8) {
        let Some(conversation) = self.conversation(way, which) else { return };
        if let Conversation::Request(request) = conversation {
            self.working.retain(|working| *working != request);
        }
        self.handle(now, Input::EndItems(conversation));
    }

    pub(super) fn discard(&mut self, now: Time, which: u8) {
        let Some(request) = nth(self.working.iter(), which).copied() else { return };
        self.handle(now, Input::Discard(request));
    }

    pub(super) fn forget_items(&mut self) {
        self.items.clear();
    }

    pub(super) fn take(&mut self, now: Time) {
        let Some((of, item)) = self.items.pop_front() else { return };
        let conversation = match of {
            Party::Request(id) => Conversation::Request(id),
            Party::Caller(token) => match self.calls.get(&token) {
                Some(call) => Conversation::Call(*call),
                None => return,
            },
        };
        self.handle(now, Input::Taken { conversation, receipt: item.receipt });
        if self.items.len().is_multiple_of(2) {
            // Some readers go on in pieces.
            self.handle(now, Input::InPieces(conversation));
        }
    }

    fn conversation(&self, way: Way, which: u8) -> Option<Conversation> {
        Some(match way {
            Way::Asking => Conversation::Call(*nth(self.calls.values(), which)?),
            Way::Answering => Conversation::Request(*nth(self.working.iter(), which)?),
        })
    }

    fn open(&mut self, now: Time, size: Size, deadline: Option<u8>, shape: Shape) {
        self.token += 1;
        let open = Open {
            token: self.token,
            key: TargetKey(1),
            target: &self.target,
            deadline: deadline.map(|millis| now + Duration::from_millis(millis.into())),
            payload: Payload::raw(size.bytes()),
            options: None,
            shape,
        };
        if let Ok(id) = self.link.open(now, open) {
            assert_eq!(self.life, Life::Up, "a call before the handshake, or after the end");
            self.calls.insert(self.token, id);
        }
        self.note();
    }

    pub(super) fn cancel(&mut self, now: Time, which: u8) {
        let Some(token) = nth(self.calls.keys(), which).copied() else { return };
        let call = self.calls.remove(&token).expect("it was among them");
        self.handle(now, Input::Cancel(call));
    }

    pub(super) fn answer(
        &mut self,
        now: Time,
        which: u8,
        input: impl FnOnce(RequestId) -> Input<'static>,
    ) {
        let Some(request) = nth(self.working.iter(), which).copied() else { return };
        self.working.retain(|working| *working != request);
        self.handle(now, input(request));
    }

    fn note(&mut self) {
        while let Some(output) = self.link.poll_output() {
            assert_ne!(self.life, Life::Over, "after the last output: {output:?}");
            let early = !matches!(output, Output::Established(_) | Output::Closed(_));
            assert!(self.life == Life::Up || !early, "before the handshake: {output:?}");
            match output {
                Output::Established(_) => {
                    assert_eq!(self.life, Life::Shaking, "established twice");
                    self.life = Life::Up;
                }
                Output::Request(request) => {
                    assert!(!self.working.contains(&request.id), "a request twice");
                    self.working.push(request.id);
                    assert!(self.working.len() <= self.most, "more requests than agreed");
                }
                Output::Cancelled(id) => {
                    let before = self.working.len();
                    self.working.retain(|working| *working != id);
                    assert_eq!(self.working.len() + 1, before, "who was cancelled?");
                }
                Output::Ended { token, .. } => {
                    assert!(self.calls.remove(&token).is_some(), "call {token} ended twice");
                }
                Output::Item { of, item } => {
                    let known = match of {
                        Party::Caller(token) => self.calls.contains_key(&token),
                        Party::Request(_) => true,
                    };
                    assert!(known, "an item for nobody: {of:?}");
                    self.items.push_back((of, item));
                }
                Output::Closed(_) => self.life = Life::Over,
                Output::Room(_)
                | Output::AskedAll(_)
                | Output::Control(_)
                | Output::RoundTrip(_)
                | Output::Draining
                | Output::Idle => {}
            }
        }
    }
}

fn nth<T>(mut items: impl ExactSizeIterator<Item = T>, which: u8) -> Option<T> {
    let count = items.len();
    items.nth(usize::from(which).checked_rem(count)?)
}
