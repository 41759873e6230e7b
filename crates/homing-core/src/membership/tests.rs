//! Several members, virtual time, datagrams that get lost.

use super::*;
use crate::id::{Epoch, NodeId};
use std::net::SocketAddr;

const DELAY: Duration = Duration::from_millis(2);

/// A mesh of nothing but membership.
struct Mesh {
    now: Time,
    rng: Rng,
    members: Vec<Seat>,
    /// On their way: when, in which order, to whom.
    flying: std::collections::BTreeMap<(Time, u64), (NodeId, Vec<u8>)>,
    sent: u64,
    lost_percent: u64,
    /// Those before and those from this number on do not hear each other.
    cut_before: usize,
    wakes: u64,
    log: Vec<(Time, usize, Output)>,
}

struct Seat {
    machine: Membership,
    state: Running,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Running {
    Yes,
    Paused { since: Time },
    Crashed,
}

fn identity(number: usize) -> Identity {
    let port = 1_000 + u16::try_from(number).unwrap();
    let mut id = [0; 16];
    id[0] = u8::try_from(number * 37 % 256).unwrap();
    id[15] = u8::try_from(number).unwrap();
    Identity::new(NodeId::from_bytes(id), Epoch(1), 9, &[SocketAddr::from(([127, 0, 0, 1], port))])
}

impl Mesh {
    /// Everybody is told of the first, and the first of everybody, as over links.
    fn new(count: usize, lost_percent: u64, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let seat = |number| Seat {
            machine: Membership::new(identity(number), rng.split()),
            state: Running::Yes,
        };
        let members: Vec<_> = (0..count).map(seat).collect();
        let mut mesh = Self {
            now: Time::from_millis(7),
            rng,
            members,
            flying: std::collections::BTreeMap::new(),
            sent: 0,
            lost_percent,
            cut_before: 0,
            wakes: 0,
            log: Vec::new(),
        };
        for number in 1..count {
            mesh.sync(0, number);
            mesh.sync(number, 0);
        }
        mesh
    }

    fn sync(&mut self, from: usize, to: usize) {
        for frame in self.members[from].machine.dump() {
            self.members[to].machine.handle_input(self.now, Input::Apply(&frame));
        }
        self.collect(to);
    }

    fn collect(&mut self, from: usize) {
        while let Some(output) = self.members[from].machine.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    assert!(bytes.len() <= BODY_MAX);
                    self.sent += 1;
                    let other =
                        self.members.iter().position(|seat| seat.machine.me().id == to.id).unwrap();
                    let cut = (from < self.cut_before) != (other < self.cut_before);
                    if !cut && !self.rng.chance(self.lost_percent, 100) {
                        self.flying.insert((self.now + DELAY, self.sent), (to.id, bytes));
                    }
                }
                event => self.log.push((self.now, from, event)),
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Time> {
        let awake = self.members.iter().filter(|seat| seat.state == Running::Yes);
        let timer = awake.filter_map(|seat| seat.machine.poll_timeout()).min();
        timer.into_iter().chain(self.flying.keys().next().map(|key| key.0)).min()
    }

    fn step(&mut self) {
        while let Some(((at, order), (to, bytes))) = self.flying.pop_first() {
            if at > self.now {
                self.flying.insert((at, order), (to, bytes));
                break;
            }
            let to = self.members.iter().position(|seat| seat.machine.me().id == to).unwrap();
            if self.members[to].state == Running::Yes {
                self.wakes += 1;
                self.members[to].machine.handle_input(self.now, Input::Packet(&bytes));
                self.collect(to);
            }
        }
        for number in 0..self.members.len() {
            let seat = &mut self.members[number];
            if seat.state == Running::Yes
                && seat.machine.poll_timeout().is_some_and(|at| at <= self.now)
            {
                self.wakes += 1;
                seat.machine.handle_timeout(self.now);
                assert!(
                    seat.machine.poll_timeout().is_none_or(|at| at > self.now),
                    "a timer that never ends"
                );
                self.collect(number);
            }
        }
    }

    fn pause(&mut self, number: usize) {
        self.members[number].state = Running::Paused { since: self.now };
    }

    fn wake(&mut self, number: usize) {
        let Running::Paused { since } = self.members[number].state else { panic!("not paused") };
        self.members[number].state = Running::Yes;
        self.members[number].machine.handle_input(self.now, Input::Stalled(self.now.since(since)));
        self.collect(number);
    }

    /// How many running members hold `whom` alive, itself left out.
    fn holders(&self, whom: usize) -> usize {
        let id = self.members[whom].machine.me().id;
        let others = self.members.iter().enumerate().filter(|(number, _)| *number != whom);
        others
            .filter(|(_, seat)| seat.state == Running::Yes)
            .filter(|(_, seat)| matches!(seat.machine.presence(&id), Some(Presence::Alive(_))))
            .count()
    }

    fn downs(&self) -> Vec<&(Time, usize, Output)> {
        self.log.iter().filter(|(.., output)| matches!(output, Output::Down(_))).collect()
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn everybody_knows_everybody_within_three_seconds() {
    for (count, lost) in [(2, 0), (3, 5), (8, 10), (20, 5)] {
        let mut mesh = Mesh::new(count, lost, 1);
        mesh.run(seconds(3));
        (0..count).for_each(|number| assert_eq!(mesh.holders(number), count - 1, "{count} nodes"));
    }
}

#[test]
fn a_crash_is_known_to_all_within_four_seconds() {
    for seed in 0..40 {
        for (count, lost) in [(2, 0), (3, 0), (5, 5), (12, 5), (20, 5)] {
            let mut mesh = Mesh::new(count, lost, seed);
            mesh.run(seconds(4) + Duration::from_millis(seed * 37));
            mesh.members[count - 1].state = Running::Crashed;
            mesh.run(seconds(4));
            assert_eq!(mesh.holders(count - 1), 0, "{count} nodes, seed {seed}");
        }
    }
}

#[test]
fn a_paused_member_is_out_within_four_seconds_and_back_two_after_waking() {
    for seed in 0..40 {
        for count in [2, 3, 10, 20] {
            let mut mesh = Mesh::new(count, 5, seed);
            mesh.run(seconds(5));
            mesh.pause(1);
            mesh.run(seconds(4));
            assert_eq!(mesh.holders(1), 0, "{count} nodes, seed {seed}: out");
            mesh.run(seconds(26));
            mesh.wake(1);
            mesh.run(seconds(2));
            assert_eq!(mesh.holders(1), count - 1, "{count} nodes, seed {seed}: back");
            (0..count).for_each(|number| assert_eq!(mesh.holders(number), count - 1));
        }
    }
}

#[test]
fn loss_of_one_datagram_in_twenty_throws_nobody_out() {
    for seed in 0..5 {
        for count in [2, 7, 20] {
            let mut mesh = Mesh::new(count, 5, seed);
            mesh.run(seconds(60));
            assert!(mesh.downs().is_empty(), "{count} nodes, seed {seed}: {:?}", mesh.downs());
        }
    }
}

#[test]
fn a_cut_heals_within_five_seconds() {
    for seed in 0..20 {
        for count in [2, 6, 20] {
            let mut mesh = Mesh::new(count, 0, seed);
            mesh.run(seconds(3));
            mesh.cut_before = count / 2;
            mesh.run(seconds(20));
            assert_eq!(mesh.holders(0), count / 2 - 1, "{count} nodes, seed {seed}: cut");
            mesh.cut_before = 0;
            mesh.run(seconds(5));
            (0..count).for_each(|number| {
                assert_eq!(mesh.holders(number), count - 1, "{count} nodes, seed {seed}");
            });
        }
    }
}

#[test]
fn who_was_cut_off_alone_throws_nobody_out_when_it_is_back() {
    for seed in 0..10 {
        for (count, cut) in [(2, 4), (3, 10), (4, 30), (6, 4), (20, 3), (20, 5)] {
            let mut mesh = Mesh::new(count, 0, seed);
            mesh.run(seconds(5));
            mesh.cut_before = 1;
            mesh.run(seconds(cut) + Duration::from_millis(seed * 17));
            mesh.cut_before = 0;
            mesh.log.retain(|(.., output)| !matches!(output, Output::Down(_)));
            mesh.run(seconds(5));
            let thrown_out = |(_, by, output): &&(Time, usize, Output)| match output {
                Output::Down(whom) => *by != 0 && whom.id != identity(0).id,
                _ => false,
            };
            let thrown_out: Vec<_> = mesh.log.iter().filter(thrown_out).collect();
            assert!(thrown_out.is_empty(), "{count} nodes, seed {seed}: {thrown_out:?}");
            (0..count).for_each(|number| {
                assert_eq!(mesh.holders(number), count - 1, "{count} nodes, seed {seed}");
            });
        }
    }
}

#[test]
fn who_was_suspected_before_a_long_pause_is_not_suspected_for_ever() {
    for seed in 0..20 {
        let mut mesh = Mesh::new(8, 0, seed);
        mesh.run(seconds(5));
        mesh.members[6].state = Running::Crashed;
        mesh.run(seconds(1));
        mesh.pause(1);
        mesh.run(seconds(20));
        mesh.wake(1);
        mesh.run(seconds(5));
        (0..8).filter(|number| *number != 6).for_each(|number| {
            assert_eq!(mesh.holders(number), 6, "seed {seed}, node {number}");
        });
        assert_eq!(mesh.holders(6), 0, "seed {seed}");
    }
}

#[test]
fn who_says_goodbye_has_left_and_did_not_fail() {
    let mut mesh = Mesh::new(10, 5, 3);
    mesh.run(seconds(3));
    mesh.members[4].machine.handle_input(mesh.now, Input::Leave);
    mesh.collect(4);
    mesh.members[4].state = Running::Crashed;
    mesh.run(seconds(1));
    assert_eq!(mesh.holders(4), 0);
    assert!(mesh.downs().is_empty(), "{:?}", mesh.downs());
    let left = mesh.log.iter().filter(|(.., output)| matches!(output, Output::Left(_))).count();
    assert_eq!(left, 9);
}

#[test]
fn an_idle_pair_wakes_seldom() {
    let mut mesh = Mesh::new(2, 0, 1);
    mesh.run(seconds(10));
    mesh.wakes = 0;
    mesh.run(seconds(20));
    let each_second = mesh.wakes / 2 / 20;
    assert!(each_second <= 7, "{each_second} wakes a second");
}

#[test]
fn a_second_process_under_our_id_is_told() {
    let mut mesh = Mesh::new(2, 0, 1);
    let twin = Identity { epoch: Epoch(9), ..identity(0) };
    let frames = Membership::new(twin, Rng::from_seed(1)).dump();
    mesh.members[0].machine.handle_input(mesh.now, Input::Apply(&frames[0]));
    mesh.collect(0);
    assert!(mesh.log.iter().any(|(.., output)| matches!(output, Output::Elsewhere(_))));
}

#[test]
fn what_is_learned_is_known_and_not_passed_on_and_what_is_applied_is() {
    let known = Mesh::new(5, 0, 1).members.remove(0).machine.dump().concat();
    for (told, passes_on) in [(Input::Learn(&known), false), (Input::Apply(&known), true)] {
        let mut newcomer = Membership::new(identity(9), Rng::from_seed(3));
        newcomer.handle_input(Time::from_millis(7), told);
        assert_eq!(newcomer.alive().count(), 5);
        assert_eq!(newcomer.foca.updates_backlog() > 0, passes_on);
    }
}

#[test]
fn no_bytes_make_membership_panic() {
    let mut mesh = Mesh::new(3, 0, 1);
    mesh.run(seconds(2));
    let mut rng = Rng::from_seed(5);
    let packet = mesh.members[1].machine.dump().concat();
    for _ in 0..20_000 {
        let mut bytes = packet.clone();
        bytes.truncate(rng.index(bytes.len() + 1));
        for _ in 0..rng.index(4) {
            let at = rng.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(rng.below(256)).unwrap();
            }
        }
        mesh.members[0].machine.handle_input(mesh.now, Input::Packet(&bytes));
        mesh.members[0].machine.handle_input(mesh.now, Input::Apply(&bytes));
        while mesh.members[0].machine.poll_output().is_some() {}
    }
}
