//! What can somebody write who has the mesh's key, and a program of its own? Datagrams in the name of a member, sealed
//! here by what the documents say and not by the code that is attacked.

use super::attacker::ELSEWHERE;
use super::bystander::{Victim, soon};
use data_encoding::{Encoding, Specification};
use homing::{Key, KeyId, Node, NodeId};
use homing_core::crypto::{Crypto, Exchange, Proof, Seal, TAG_LEN};
use homing_core::registry::{Record, SIGNED_AS, Signature};
use homing_core::wire::DatagramKind;
use homing_core::wire::datagram::{HEADER_LEN, Header, open, seal};
use homing_core::wire::put_bytes;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::net::UdpSocket;

/// The secret in `hmk1_…` and `hmi1_…`.
pub(crate) fn secret(word: &str) -> [u8; 32] {
    let mut letters = Specification::new();
    letters.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    let base32: Encoding = letters.encoding().unwrap();
    let (_, rest) = word.trim().split_once('_').unwrap();
    *base32.decode(rest.as_bytes()).unwrap().first_chunk().unwrap()
}

/// The mesh's key, as far as datagrams need it.
pub(crate) struct Sealing {
    id: KeyId,
    datagram: Prk,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Sealing {
    pub(crate) fn new(key: &Key) -> Self {
        let root = Salt::new(HKDF_SHA256, b"homing-1").extract(&secret(&key.to_string()));
        let mut id = [0; 4];
        root.expand(&[b"id"], Length(4)).unwrap().fill(&mut id).unwrap();
        let datagram = root.expand(&[b"datagram"], HKDF_SHA256).unwrap().into();
        Self { id: KeyId(u32::from_be_bytes(id)), datagram }
    }

    fn of(&self, seal: &Seal) -> (LessSafeKey, Nonce) {
        let epoch = seal.epoch.0.to_be_bytes();
        let info = [seal.sender.as_bytes().as_slice(), &epoch];
        let key = self.datagram.expand(&info, &CHACHA20_POLY1305).unwrap();
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&seal.counter.to_be_bytes());
        (LessSafeKey::new(UnboundKey::from(key)), Nonce::assume_unique_for_key(nonce))
    }
}

impl Crypto for Sealing {
    fn seal(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool {
        let (key, nonce) = self.of(seal);
        let (head, body) = buffer.split_at_mut(clear);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body).unwrap();
        buffer.extend_from_slice(tag.as_ref());
        true
    }

    fn open(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool {
        let (key, nonce) = self.of(seal);
        let (head, body) = buffer.split_at_mut(clear);
        let is_sealed = key.open_in_place(nonce, Aad::from(&*head), body).is_ok();
        buffer.truncate(buffer.len() - TAG_LEN);
        is_sealed
    }

    fn keys(&self) -> Vec<KeyId> {
        vec![self.id]
    }

    fn public_key(&self) -> [u8; 32] {
        unreachable!("only datagrams are made here")
    }

    fn digest(&self, _: &[u8]) -> [u8; 32] {
        unreachable!("only datagrams are made here")
    }

    fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
        unreachable!("only datagrams are made here")
    }

    fn verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> bool {
        unreachable!("only datagrams are made here")
    }

    fn prove(&self, _: &Exchange<'_>) -> Option<Proof> {
        unreachable!("only datagrams are made here")
    }

    fn check(&self, _: &Exchange<'_>, _: &[u8; 32], _: &Proof) -> bool {
        unreachable!("only datagrams are made here")
    }
}

/// Who is a member, and says more than its node does.
pub(crate) struct Insider {
    socket: UdpSocket,
    sealing: Sealing,
    next: Header,
}

impl Insider {
    /// In the name of this member, to the victim; it asks for the victim's nonce by a wrong one.
    pub(crate) async fn new(victim: &Victim, member: &Node) -> Self {
        let sealing = Sealing::new(&victim.config.key[0]);
        let socket = UdpSocket::bind((ELSEWHERE, 0)).await.unwrap();
        socket.connect(victim.at).await.unwrap();
        let next = Header {
            kind: DatagramKind::Registry,
            key: sealing.id,
            sender: member.info().id,
            receiver: Some(victim.node.info().id),
            epoch: member.info().epoch,
            // Above those of the member itself, which begin anywhere below.
            counter: 1 << 63,
            nonce: 0,
        };
        let mut insider = Self { socket, sealing, next };
        insider.say(&[]).await;
        let mut answer = vec![0; 2_048];
        let length = soon(insider.socket.recv(&mut answer)).await.unwrap();
        answer.truncate(length);
        let header = open(member.info().id, &mut answer, &insider.sealing).unwrap();
        assert_eq!((header.kind, answer.len()), (DatagramKind::Nonce, HEADER_LEN));
        insider.next.nonce = header.nonce;
        insider
    }

    /// Says this as a message of the registry.
    pub(crate) async fn say(&mut self, message: &[u8]) {
        self.next.counter += 1;
        let datagram = seal(&self.next, message, &self.sealing).unwrap();
        self.socket.send(&datagram).await.unwrap();
    }

    /// Tells this record as news.
    pub(crate) async fn tell(&mut self, record: &[u8]) {
        let mut message = vec![7];
        put_bytes(&mut message, record);
        self.say(&message).await;
    }
}

/// By whom a record is signed.
pub(crate) enum Signed<'a> {
    Not,
    By(&'a Ed25519KeyPair),
    /// With the key of this one, which has not signed it.
    InTheNameOf(&'a Ed25519KeyPair),
}

/// A record as it is told.
pub(crate) fn written(record: &Record, signed: &Signed<'_>) -> Vec<u8> {
    let mut record = record.clone();
    let pair = match signed {
        Signed::Not => return encoded(&record),
        Signed::By(pair) | Signed::InTheNameOf(pair) => pair,
    };
    let key = pair.public_key().as_ref().try_into().unwrap();
    record.signature = Some(Signature { key, bytes: [1; 64] });
    if matches!(signed, Signed::By(_)) {
        let bytes = encoded(&record);
        let message = [SIGNED_AS, &bytes[..bytes.len() - 96]].concat();
        let bytes = pair.sign(&message).as_ref().try_into().unwrap();
        record.signature = Some(Signature { key, bytes });
    }
    encoded(&record)
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

/// A key pair that nobody has seen.
pub(crate) fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).unwrap()
}

/// The services that a node shows, each with who offers it.
pub(crate) fn listing(node: &Node) -> Vec<(String, Vec<NodeId>)> {
    let offered = |service: homing::ServiceInfo| {
        let nodes = service.instances.iter().map(|instance| instance.node).collect();
        (service.service.to_string(), nodes)
    };
    node.services().into_iter().map(offered).collect()
}
