//! Who is within earshot, of whatever mesh?
//!
//! A survey asks everybody with a [`census`], and notes who calls. What a stranger says of itself in the clear is noted
//! as it is, and proves nothing; what is sealed with a key that is held here is opened and read in full.

use crate::addr::TransportAddr;
use crate::crypto::{Crypto, KeyId};
use crate::id::NodeId;
use crate::limits::AUDIBLE_MAX;
use crate::wire::datagram::{HEADER_LEN, census, is_census, open, peek};
use crate::wire::{Banner, Kind, Scout};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What was heard so far; `P` is a place where one can hear.
#[derive(Debug)]
pub struct Survey<P> {
    me: NodeId,
    /// Another id of ours, whose calls are none of a stranger.
    also_me: NodeId,
    voices: BTreeMap<NodeId, Voice<P>>,
}

/// One node that was heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Voice<P> {
    /// What it says in the clear.
    pub banner: Banner,
    /// The key that it seals with.
    pub key: KeyId,
    /// Where its last call came from.
    pub from: SocketAddr,
    /// What it says to those who hold its key, where one of them is here.
    pub opened: Option<Opened>,
    /// Where it was heard.
    pub places: BTreeSet<P>,
}

/// What was sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// Member or visitor.
    pub kind: Kind,
    /// Where it listens.
    pub addresses: Vec<TransportAddr>,
}

impl<P: Clone + Ord> Survey<P> {
    /// Nobody was heard yet. `me` is drawn for this survey; `also_me` is the node's own.
    pub fn new(me: NodeId, also_me: NodeId) -> Self {
        Self { me, also_me, voices: BTreeMap::new() }
    }

    /// What to say to everybody, so that they call.
    pub fn question(&self) -> Vec<u8> {
        census(self.me)
    }

    /// Notes who called, if this is a call of another node. Beyond [`AUDIBLE_MAX`] nodes no further ones are noted.
    pub fn handle_datagram(
        &mut self,
        from: SocketAddr,
        place: &P,
        bytes: &mut Vec<u8>,
        crypto: &dyn Crypto,
    ) {
        if is_census(bytes) {
            return;
        }
        let Ok((header, banner)) = peek(bytes) else { return };
        let (sender, key) = (header.sender, header.key);
        let is_known = self.voices.contains_key(&sender);
        if sender == self.me
            || sender == self.also_me
            || (!is_known && self.voices.len() >= AUDIBLE_MAX)
        {
            return;
        }
        let opened = read(self.me, bytes, crypto);
        let fresh = || Voice { banner, key, from, opened: None, places: BTreeSet::new() };
        let voice = self.voices.entry(sender).or_insert_with(fresh);
        voice.places.insert(place.clone());
        // Nobody who only names a node takes away what that one proved.
        if opened.is_some() || voice.opened.is_none() {
            (voice.from, voice.opened) = (from, opened.or(voice.opened.take()));
        }
    }

    /// Everybody who was heard.
    pub fn voices(&self) -> impl Iterator<Item = (&NodeId, &Voice<P>)> {
        self.voices.iter()
    }
}

/// What the holder of a key reads.
fn read(me: NodeId, bytes: &mut Vec<u8>, crypto: &dyn Crypto) -> Option<Opened> {
    open(me, bytes, crypto).ok()?;
    let Scout { kind, addresses, .. } = Scout::decode(&bytes[HEADER_LEN..]).ok()?;
    Some(Opened { kind, addresses })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fake::Fake;
    use crate::id::Epoch;
    use crate::wire::datagram::{Header, seal};
    use crate::wire::{DatagramKind, Guard};

    const ME: NodeId = NodeId::from_bytes([9; 16]);
    const OWN: NodeId = NodeId::from_bytes([8; 16]);

    fn call(sender: u16, mesh: &str, crypto: Fake) -> Vec<u8> {
        let mut id = [1; 16];
        id[..2].copy_from_slice(&sender.to_be_bytes());
        let header = Header {
            kind: DatagramKind::Scout,
            key: crypto.keys()[0],
            sender: NodeId::from_bytes(id),
            receiver: None,
            epoch: Epoch(1),
            counter: 1,
            nonce: 0,
        };
        let banner = Banner { mesh: mesh.parse().unwrap(), guard: Guard::Keyed };
        let addresses = vec![TransportAddr::Tcp("10.0.0.7:1".parse().unwrap())];
        let mut body = Vec::new();
        Scout { banner, kind: Kind::Member, addresses }.encode(&mut body);
        seal(&header, &body, &crypto).unwrap()
    }

    fn hear(survey: &mut Survey<u8>, place: u8, mut bytes: Vec<u8>) {
        let from = "10.0.0.7:999".parse().unwrap();
        survey.handle_datagram(from, &place, &mut bytes, &Fake::PLAIN.of_mesh(1));
    }

    #[test]
    fn the_own_mesh_is_read_in_full_and_of_another_its_name_and_place() {
        let mut survey = Survey::new(ME, OWN);
        hear(&mut survey, 1, call(1, "ours", Fake::PLAIN.of_mesh(1)));
        hear(&mut survey, 2, call(1, "ours", Fake::PLAIN.of_mesh(1)));
        hear(&mut survey, 2, call(2, "theirs", Fake::PLAIN.of_mesh(2)));
        let all: Vec<_> = survey.voices().map(|(_, voice)| voice.clone()).collect();
        assert_eq!((all[0].banner.mesh.as_str(), all[0].places.len()), ("ours", 2));
        assert_eq!(all[0].opened.as_ref().unwrap().addresses.len(), 1);
        assert_eq!((all[1].banner.mesh.as_str(), all[1].key), ("theirs", KeyId(2)));
        assert_eq!((all.len(), &all[1].opened), (2, &None));
    }

    #[test]
    fn neither_questions_nor_noise_nor_ourselves_are_anybody() {
        let mut survey = Survey::new(ME, OWN);
        let question = survey.question();
        hear(&mut survey, 1, question);
        hear(&mut survey, 1, b"noise".to_vec());
        hear(&mut survey, 1, vec![]);
        let mut own = call(1, "ours", Fake::PLAIN.of_mesh(1));
        own[8..24].copy_from_slice(OWN.as_bytes());
        hear(&mut survey, 1, own);
        assert_eq!(survey.voices().count(), 0);
    }

    #[test]
    fn who_names_a_node_falsely_takes_nothing_from_what_it_proved() {
        let mut survey = Survey::new(ME, OWN);
        hear(&mut survey, 1, call(1, "ours", Fake::PLAIN.of_mesh(1)));
        hear(&mut survey, 1, call(1, "fake", Fake::PLAIN.of_mesh(2)));
        let (_, voice) = survey.voices().next().unwrap();
        assert_eq!((voice.banner.mesh.as_str(), voice.opened.is_some()), ("ours", true));
    }

    #[test]
    fn a_crowd_is_noted_up_to_its_bound() {
        let mut survey = Survey::new(ME, OWN);
        for sender in 0..u16::try_from(AUDIBLE_MAX).unwrap() + 10 {
            hear(&mut survey, 1, call(sender, "ours", Fake::PLAIN.of_mesh(1)));
        }
        assert_eq!(survey.voices().count(), AUDIBLE_MAX);
    }
}
