//! Who gets in, and what does everybody else hear?

use super::tests::config;
use super::*;
use crate::crypto::Crypto;
use crate::crypto::fake::Fake;
use bytes::BytesMut;

/// One side of a handshake that is to be tried.
struct Setup {
    config: LinkConfig,
    channel: Option<Channel>,
}

fn sides() -> (Setup, Setup) {
    let budget = Arc::new(Budget::new(1 << 20));
    let side = |role| Setup { config: config(role, 1, Arc::clone(&budget)), channel: None };
    (side(Role::Dialler), side(Role::Acceptor))
}

/// Lets two sides talk until nothing moves, hands every piece of theirs to `tap`, and says how it ended at each.
fn talk(dialler: Setup, acceptor: Setup, mut tap: impl FnMut(Role, &mut Vec<u8>)) -> [String; 2] {
    let mut links = [dialler, acceptor].map(|Setup { config, channel }| {
        let mut link = Link::new(config, Time::ZERO);
        if let Some(channel) = channel {
            link.handle_input(Time::ZERO, Input::Channel(channel));
        }
        link
    });
    let mut said = true;
    while std::mem::take(&mut said) {
        for (from, role) in [(0, Role::Dialler), (1, Role::Acceptor)] {
            let mut bytes = Vec::new();
            said |= links[from].poll_transmit(Time::ZERO, &mut bytes);
            tap(role, &mut bytes);
            let mut bytes = BytesMut::from(&bytes[..]);
            links[1 - from].handle_input(Time::ZERO, Input::Bytes(&mut bytes));
        }
    }
    links.map(|mut link| {
        match std::iter::from_fn(|| link.poll_output()).find(|output| !is_round_trip(output)) {
            Some(Output::Established(_)) => "up".into(),
            Some(Output::Closed(status)) => status.message,
            other => format!("{other:?}"),
        }
    })
}

fn is_round_trip(output: &Output) -> bool {
    matches!(output, Output::RoundTrip(_))
}

/// Changes the sides of a handshake that would succeed, and says how it ends.
#[track_caller]
fn check(change: impl FnOnce(&mut Setup, &mut Setup), expect: [&str; 2]) {
    let (mut dialler, mut acceptor) = sides();
    change(&mut dialler, &mut acceptor);
    assert_eq!(talk(dialler, acceptor, |_, _| {}), expect);
}

/// Gives a side another crypto, and what its Hello says of it.
fn with_keys(setup: &mut Setup, crypto: Fake) {
    setup.config.hello.keys = crypto.keys();
    setup.config.crypto = Arc::new(crypto);
}

const UP: [&str; 2] = ["up", "up"];
const UNPROVEN: &str = "the other side does not hold this mesh's key, or not that of its id";

#[test]
fn keys_may_be_rotated_one_side_at_a_time() {
    let rotating = |dialler: Fake, acceptor: Fake, expect| {
        check(
            |d, a| {
                with_keys(d, dialler);
                with_keys(a, acceptor);
            },
            expect,
        );
    };
    let (d, a) = (Fake::signing(1), Fake::signing(2));
    rotating(d.of_mesh(1).and_mesh(2), a.of_mesh(1), UP);
    rotating(d.of_mesh(2).and_mesh(1), a.of_mesh(1).and_mesh(2), UP);
    rotating(d.of_mesh(2), a.of_mesh(2).and_mesh(1), UP);
    let none = "no mesh key in common";
    rotating(d.of_mesh(1), a.of_mesh(2), [none, none]);
    let open = "no mesh key in common";
    rotating(d.of_mesh(0), a.of_mesh(1), [open, open]);
}

#[test]
fn who_lists_a_key_that_it_does_not_hold_is_found_out() {
    check(
        |d, _| d.config.crypto = Arc::new(Fake::signing(1).of_mesh(2)),
        ["the mesh key 00000001 was taken away", "the mesh key 00000001 was taken away"],
    );
}

#[test]
fn a_stolen_id_without_its_key_is_refused() {
    let victim = Fake::signing(9).of_mesh(1);
    check(
        |thief, _| {
            thief.config.hello.peer.id = victim.id();
            thief.config.hello.peer.key = victim.public_key();
        },
        [UNPROVEN, UNPROVEN],
    );
    let made_up = "the other side's id is not that of its key";
    check(|thief, _| thief.config.hello.peer.id = victim.id(), [made_up, made_up]);
}

#[test]
fn both_proofs_are_worth_nothing_on_another_channel() {
    let over = |byte, key| Some(Channel { binding: [byte; 32], key });
    let join = |d, a, expect| check(|left, right| (left.channel, right.channel) = (d, a), expect);
    join(over(1, None), over(1, None), UP);
    join(over(1, None), over(2, None), [UNPROVEN, UNPROVEN]);
    join(over(1, None), None, [UNPROVEN, UNPROVEN]);
    let (dialler, acceptor) = (Some([1; 32]), Some([2; 32]));
    join(over(1, acceptor), over(1, dialler), UP);
    let other = "the other side's certificate is not that of its id";
    join(over(1, acceptor), over(1, Some([3; 32])), [other, other]);
}

#[test]
fn a_last_word_instead_of_a_hello_is_understood_however_it_is_cut() {
    let (dialler, acceptor) = sides();
    let mut leaving = Link::new(acceptor.config, Time::ZERO);
    leaving.handle_input(Time::ZERO, Input::Drain);
    let mut word = Vec::new();
    leaving.poll_transmit(Time::ZERO, &mut word);
    let mut link = Link::new(dialler.config, Time::ZERO);
    let mut bytes = BytesMut::new();
    for byte in word {
        assert!(link.poll_output().is_none(), "it is not whole");
        bytes.extend_from_slice(&[byte]);
        link.handle_input(Time::ZERO, Input::Bytes(&mut bytes));
    }
    let Some(Output::Closed(status)) = link.poll_output() else { panic!("not closed") };
    assert_eq!(status.message, "the link is not needed");
}

#[test]
fn what_was_heard_once_opens_no_second_link() {
    let (dialler, acceptor) = sides();
    let mut heard = Vec::new();
    let listen = |role, bytes: &mut Vec<u8>| match role {
        Role::Dialler => heard.push(bytes.clone()),
        Role::Acceptor => {}
    };
    assert_eq!(talk(dialler, acceptor, listen), UP);
    let (replayer, mut acceptor) = sides();
    acceptor.config.hello.nonce = [77; 16];
    let mut recorded = heard.into_iter();
    let replay = |role, bytes: &mut Vec<u8>| match role {
        Role::Dialler => *bytes = recorded.next().unwrap_or_default(),
        Role::Acceptor => {}
    };
    assert_eq!(talk(replayer, acceptor, replay)[1], UNPROVEN);
}

#[test]
fn a_proof_thrown_back_is_none() {
    let (dialler, acceptor) = sides();
    let mut proof = None;
    let reflect = |role, bytes: &mut Vec<u8>| {
        let is_proof = bytes.len() == 98;
        match role {
            Role::Acceptor if is_proof => *bytes = proof.take().unwrap_or_default(),
            Role::Dialler if is_proof => proof = Some(bytes.clone()),
            _ => {}
        }
    };
    assert_eq!(talk(dialler, acceptor, reflect)[0], UNPROVEN);
}

#[test]
fn every_handshake_cut_short_stays_outside() {
    let total = {
        let mut total = 0;
        let (dialler, acceptor) = sides();
        let _ = talk(dialler, acceptor, |role, bytes| {
            total += if role == Role::Dialler { bytes.len() } else { 0 };
        });
        total
    };
    for cut in 0..total {
        let (dialler, acceptor) = sides();
        let mut left = cut;
        let ended = talk(dialler, acceptor, |role, bytes| {
            if role == Role::Dialler {
                bytes.truncate(left);
                left -= bytes.len();
            }
        });
        assert_ne!(ended[1], "up", "cut at {cut}");
    }
}
