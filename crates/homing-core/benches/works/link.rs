//! How long does a whole call take, without sockets?

use super::Plain;
use bytes::BytesMut;
use homing_core::budget::Budget;
use homing_core::crypto::{Crypto, Role};
use homing_core::id::Epoch;
use homing_core::link::{Input, Link, LinkConfig, Open, Outcome, Output, Shape, TargetKey, Times};
use homing_core::talk::Payload;
use homing_core::time::Time;
use homing_core::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use homing_core::wire::{DialClaim, Hello, Kind, Peer, Target, Windows};
use std::sync::Arc;
use std::time::Duration;

/// Two links, each with what is on its way to it.
pub(crate) struct Pair {
    dialler: Link,
    acceptor: Link,
    /// To the acceptor, to the dialler.
    ways: [Way; 2],
    now: Time,
    target: Arc<Target>,
    payload: Payload,
}

#[derive(Default)]
struct Way {
    written: Vec<u8>,
    read: BytesMut,
}

impl Way {
    /// Carries all that a link has to say to the other.
    fn carry(&mut self, now: Time, from: &mut Link, to: &mut Link) {
        self.written.clear();
        while from.poll_transmit(now, &mut self.written) {}
        self.read.extend_from_slice(&self.written);
        if !self.written.is_empty() {
            to.handle_input(now, Input::Bytes(&mut self.read));
        }
    }
}

impl Pair {
    /// Two that know each other, and whose target has its number.
    pub(crate) fn new() -> Self {
        let budget = Arc::new(Budget::new(1 << 28));
        let link = |role| Link::new(config(role, Arc::clone(&budget)), Time::ZERO);
        let target = Target {
            offer: 1,
            namespace: "default".parse().unwrap(),
            service: "echo".parse().unwrap(),
            method: "".parse().unwrap(),
        };
        let mut pair = Self {
            dialler: link(Role::Dialler),
            acceptor: link(Role::Acceptor),
            ways: Default::default(),
            now: Time::ZERO,
            target: Arc::new(target),
            payload: Payload::raw(vec![7; 128]),
        };
        for _ in 0..4 {
            pair.carry();
        }
        for link in [&mut pair.dialler, &mut pair.acceptor] {
            let said: Vec<Output> = std::iter::from_fn(|| link.poll_output()).collect();
            assert!(matches!(said[0], Output::Established(_)), "{said:?}");
        }
        assert_eq!(pair.call(), 128);
        pair
    }

    fn carry(&mut self) {
        let [there, back] = &mut self.ways;
        there.carry(self.now, &mut self.dialler, &mut self.acceptor);
        back.carry(self.now, &mut self.acceptor, &mut self.dialler);
    }

    /// One call: opened, carried, taken, answered, carried, ended. The bytes of its reply.
    pub(crate) fn call(&mut self) -> usize {
        let now = self.now;
        let open = Open {
            token: 1,
            key: TargetKey(1),
            target: &self.target,
            deadline: Some(now + Duration::from_secs(5)),
            payload: self.payload.clone(),
            options: None,
            shape: Shape::Call,
        };
        self.dialler.open(now, open).unwrap();
        self.carry();
        while let Some(output) = self.acceptor.poll_output() {
            if let Output::Request(request) = output {
                let (request, payload) = (request.id, request.payload);
                self.acceptor.handle_input(now, Input::Reply { request, payload, options: None });
            }
        }
        self.carry();
        let mut bytes = 0;
        while let Some(output) = self.dialler.poll_output() {
            if let Output::Ended { outcome: Outcome::Reply(payload, _), .. } = output {
                bytes += payload.bytes.len();
            }
        }
        bytes
    }
}

fn config(role: Role, budget: Arc<Budget>) -> LinkConfig {
    let crypto = Arc::new(Plain { number: role as u8 + 1 });
    let peer = Peer {
        id: crypto.id(),
        key: crypto.public_key(),
        epoch: Epoch(1),
        kind: Kind::Member,
        name: "node".parse().unwrap(),
        agent: "bench".to_owned(),
        addresses: vec![],
    };
    let hello = Hello {
        versions: (VERSION_MIN, VERSION_MAX),
        features: FEATURES,
        required: 0,
        mesh: [7; 8],
        nonce: [role as u8; 16],
        keys: crypto.keys(),
        peer,
        claim: DialClaim::default(),
        windows: Windows::default(),
    };
    LinkConfig { role, hello, expect: None, crypto, budget, times: Times::default() }
}
