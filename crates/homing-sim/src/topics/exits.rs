//! How do the messages of the lanes leave a process?

use super::exit::{Exit, Line, Stage, Talk, Why};
use super::inlet::Inlet;
use super::{News, SERVICE, Topics, namespace};
use crate::event::Effect;
use crate::process::Process;
use crate::wires::LinePhase;
use homing_core::id::NodeId;
use homing_core::limits::{DIAL_TIME, IDLE_TIME, PUBLISH_LAST_WAIT};
use homing_core::link::{
    Asks, Conversation, Input, Item, Open, Outcome, Place, Room, Shape, TargetKey,
};
use homing_core::name::ServiceName;
use homing_core::node::{self, LinkId};
use homing_core::registry::RecordKey;
use homing_core::talk::Payload;
use homing_core::time::Time;
use homing_core::topics::{LaneName, Report, SubscriptionId};
use homing_core::wire::Target;
use std::sync::Arc;
use std::time::Duration;

impl Process {
    /// Lets all messages go on that can; whether there was anything to look at.
    pub(crate) fn move_topics(&mut self, now: Time) -> bool {
        let version = self.snapshot.topics_version();
        let is_new = std::mem::replace(&mut self.topics.version, version) != version;
        if !self.topics.calms_down() && !is_new {
            return false;
        }
        self.publish(now);
        for name in self.topics.exits.keys().copied().collect::<Vec<_>>() {
            self.move_exit(now, &name);
        }
        for key in self.topics.inlets.keys().copied().collect::<Vec<_>>() {
            self.move_inlet(now, key);
        }
        true
    }

    /// Whether this lane is listened to, as far as is known.
    pub(crate) fn lists_lane(&self, name: &LaneName) -> bool {
        self.snapshot.listeners().iter().any(|listener| {
            (listener.node, listener.epoch) == (name.node, name.epoch)
                && listener.lanes.iter().any(|lane| lane.id == name.lane)
        })
    }

    /// A node cannot be reached: what waits for a link to it waits longer.
    pub(crate) fn exits_unreachable(&mut self, now: Time, node: NodeId) {
        for (name, exit) in &mut self.topics.exits {
            if name.node == node && matches!(exit.talk, Talk::Wanted { until: Some(_) }) {
                exit.fail(now);
            }
        }
        self.topics.stir();
    }

    /// The other end of one of our streams says how far it is.
    pub(crate) fn hear_report(&mut self, now: Time, (conn, token): (LinkId, u64), item: Item) {
        let Some(exit) = self.topics.exit_of(token) else { return };
        let Some(Line { call, .. }) = exit.line() else { return };
        exit.take_report(now, &item.payload);
        let (conversation, receipt) = (Conversation::Call(call), item.receipt);
        self.link_input(now, conn, Input::Taken { conversation, receipt });
        self.topics.stir();
    }

    /// One of our streams is no more.
    pub(crate) fn exit_ended(&mut self, now: Time, token: u64, outcome: &Outcome) {
        let Some(exit) = self.topics.exit_of(token) else { return };
        if let Outcome::Reply(payload, _) = outcome {
            exit.take_report(now, payload);
        }
        let names = self.topics.exits.iter();
        let found = names.filter(|(_, exit)| exit.line().is_some_and(|line| line.token == token));
        if let Some(name) = found.map(|(name, _)| *name).next() {
            self.finish(now, &name);
        }
        self.topics.stir();
    }

    /// Nothing more is published: what was is sent.
    pub(crate) fn close_exits(&mut self) {
        self.topics.publishers.clear();
        for exit in self.topics.exits.values_mut() {
            exit.stage = Stage::Closing;
        }
        self.topics.stir();
    }

    /// No stream of messages goes on.
    pub(crate) fn end_topics(&mut self, now: Time) {
        self.topics.publishers.clear();
        for exit in std::mem::take(&mut self.topics.exits).into_values() {
            if let Some(Line { conn, call, .. }) = exit.line() {
                self.link_input(now, conn, Input::Cancel(call));
            }
        }
        for (conn, request) in std::mem::take(&mut self.topics.inlets).into_keys() {
            let status = super::inlets::nobody();
            self.link_input(now, conn, Input::Fail { request, status });
        }
    }

    fn move_exit(&mut self, now: Time, name: &LaneName) {
        let Some(exit) = self.topics.exits.get_mut(name) else { return };
        match &exit.talk {
            Talk::Paused { until } if now < *until => {}
            Talk::Paused { .. } | Talk::Wanted { .. } => self.seek(now, name),
            Talk::Here(_) => self.send_here(now, name),
            Talk::Open(line) => {
                let line = *line;
                self.send_there(now, name, line);
            }
            Talk::Ending { line, until, .. } => {
                let Line { conn, call, .. } = *line;
                if now >= *until {
                    self.finish(now, name);
                    self.link_input(now, conn, Input::Cancel(call));
                }
            }
        }
    }

    /// Opens the stream of a lane, or asks for a link to do that on.
    fn seek(&mut self, now: Time, name: &LaneName) {
        let is_listed = self.lists_lane(name);
        let route = self.open_route(name);
        let is_here = self.is_me(name.node);
        let Some(exit) = self.topics.exits.get_mut(name) else { return };
        let has_failed = matches!(exit.talk, Talk::Paused { .. });
        if !is_listed || (has_failed && exit.stage == Stage::Closing) {
            self.topics.exits.remove(name);
            return self.topics.stir();
        }
        if is_here {
            exit.flow(Talk::Here(Box::new(Inlet::new(now, name.node, name.lane))));
            return self.topics.stir();
        }
        if let Some(conn) = route {
            return self.open_lane(now, name, conn);
        }
        match exit.talk {
            Talk::Wanted { until: Some(until) } if now < until => {}
            Talk::Wanted { until: Some(_) } => exit.fail(now),
            _ => {
                exit.talk = Talk::Wanted { until: Some(now + DIAL_TIME) };
                self.node.handle_input(now, node::Input::Want { node: name.node });
            }
        }
    }

    /// A later life of the node has other lanes by the same numbers.
    fn open_route(&self, name: &LaneName) -> Option<LinkId> {
        let conn = *self.wires.routes.get(&name.node)?;
        let line = self.wires.line(conn)?;
        let is_it = line.phase == LinePhase::Open && line.peer_epoch == Some(name.epoch);
        is_it.then_some(conn)
    }

    fn open_lane(&mut self, now: Time, name: &LaneName, conn: LinkId) {
        let service = ServiceName::from_peer(SERVICE).expect("a name of the mesh's own");
        let method = name.lane.to_string().parse().expect("a number is a method");
        let offer = RecordKey::INTEREST.0;
        let target = Arc::new(Target { offer, namespace: namespace(), service, method });
        self.topics.tokens += 1;
        let token = self.topics.tokens;
        let open = Open {
            token,
            // Beside those of the services of the world.
            key: TargetKey(1 << 24 | name.lane),
            target: &target,
            deadline: None,
            payload: Payload::default(),
            options: None,
            shape: Shape::Stream { asks: Asks::Nothing, idle: None },
        };
        let Some(line) = self.wires.touch(conn) else { return };
        let opened = line.link.open(now, open);
        let Some(exit) = self.topics.exits.get_mut(name) else { return };
        match opened {
            Ok(call) => exit.flow(Talk::Open(Line { conn, call, token })),
            Err(_) => exit.fail(now),
        }
        self.topics.stir();
    }

    /// A lane of this very process.
    fn send_here(&mut self, now: Time, name: &LaneName) {
        let is_listed = self.lists_lane(name);
        let Topics { board, exits, .. } = &mut self.topics;
        let Some(exit) = exits.get_mut(name) else { return };
        let mut wakes = Vec::new();
        let mut progress = Progress::None;
        loop {
            let batch = match &exit.talk {
                Talk::Here(inlet) if inlet.is_idle() => exit.take(),
                _ => None,
            };
            let Talk::Here(inlet) = &mut exit.talk else { return };
            if let Some(batch) = &batch {
                inlet.take_in(board, batch).expect("this process reads what it writes");
                progress = Progress::Some;
            }
            let moved = inlet.advance(now, board).expect("this process reads what it writes");
            wakes.extend(moved.wakes);
            if !inlet.is_idle() {
                break;
            }
            exit.outlet.report(inlet.report(board));
            if batch.is_none() {
                break;
            }
        }
        let over = exit.stage == Stage::Closing || !is_listed || now >= exit.idle_at;
        if progress == Progress::Some {
            exit.idle_at = now + IDLE_TIME;
            self.topics.stir();
        } else if over && exit.is_empty() {
            exits.remove(name);
        } else if over {
            exit.idle_at = now + IDLE_TIME;
        }
        self.wake_readers(wakes);
    }

    /// A lane of another node: one stream, on one link.
    fn send_there(&mut self, now: Time, name: &LaneName, line: Line) {
        let conversation = Conversation::Call(line.call);
        loop {
            let Some(exit) = self.topics.exits.get_mut(name) else { return };
            let Some(batch) = exit.take() else { break };
            exit.idle_at = now + IDLE_TIME;
            let room =
                self.wires.touch(line.conn).map_or(Room::Over, |line| line.link.room(conversation));
            match room {
                Room::Open => {}
                Room::Full => {
                    exit.in_hand = Some(batch);
                    return;
                }
                Room::Over => {
                    exit.fail(now);
                    return self.topics.stir();
                }
            }
            let (payload, place) = (Payload::raw(batch), Place::Partial);
            let item = Input::Item { conversation, payload, options: None, place };
            self.link_input(now, line.conn, item);
            self.topics.stir();
        }
        self.end_lane(now, name, line);
    }

    /// Ends the stream of a lane in peace, where it is time for that.
    fn end_lane(&mut self, now: Time, name: &LaneName, line: Line) {
        let is_moved = self.wires.routes.get(&name.node).is_some_and(|conn| *conn != line.conn);
        let is_listed = self.lists_lane(name);
        let Some(exit) = self.topics.exits.get_mut(name) else { return };
        let is_over = exit.stage == Stage::Closing || !is_listed || now >= exit.idle_at;
        if is_moved || is_over {
            let why = if is_moved { Why::Moved } else { Why::Done };
            exit.talk = Talk::Ending { line, until: now + PUBLISH_LAST_WAIT, why };
            self.link_input(now, line.conn, Input::EndItems(Conversation::Call(line.call)));
        }
    }

    /// The stream of a lane has ended: well, if it was to end.
    fn finish(&mut self, now: Time, name: &LaneName) {
        let is_listed = self.lists_lane(name);
        let Some(exit) = self.topics.exits.get_mut(name) else { return };
        match exit.talk {
            Talk::Ending { why: Why::Moved, .. } => exit.begin_again(),
            Talk::Ending { why: Why::Done, .. } => {
                // It was asked for again meanwhile.
                if is_listed && exit.stage != Stage::Closing && !exit.is_empty() {
                    exit.begin_again();
                } else {
                    self.topics.exits.remove(name);
                }
            }
            Talk::Open(_) => exit.fail(now),
            Talk::Wanted { .. } | Talk::Paused { .. } | Talk::Here(_) => {}
        }
        self.topics.stir();
    }

    /// Programs are to take messages.
    pub(crate) fn wake_readers(&mut self, wakes: Vec<(SubscriptionId, Duration)>) {
        let reads = |(subscription, mean)| Effect::Read { subscription, mean };
        self.effects.extend(wakes.into_iter().map(reads));
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    None,
    Some,
}

impl Topics {
    /// Whether there was news; there is none from now on.
    fn calms_down(&mut self) -> bool {
        std::mem::replace(&mut self.news, News::None) == News::Some
    }

    fn exit_of(&mut self, token: u64) -> Option<&mut Exit> {
        self.exits.values_mut().find(|exit| exit.line().is_some_and(|line| line.token == token))
    }
}

impl Exit {
    fn take_report(&mut self, now: Time, payload: &Payload) {
        self.idle_at = now + IDLE_TIME;
        if let Ok(report) = Report::decode(&payload.bytes) {
            self.outlet.report(report);
        }
    }
}
