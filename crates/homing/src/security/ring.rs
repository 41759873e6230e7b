//! How does `ring` fill in the core's seam? Ed25519 for identity, HMAC-SHA256 for proofs, ChaCha20-Poly1305 for
//! datagrams.
//!
//! Links and datagrams have keys of their own, derived from the mesh's by HKDF, so that nothing said over one can be
//! used over the other (decisions B4, B6). Every sender seals with a key of its own in each of its lives, so that its
//! count of datagrams is nonce enough.

use super::MeshKey;
use arc_swap::ArcSwap;
use homing_core::crypto::{Crypto, Exchange, KeyId, Proof, Role, Seal, TAG_LEN};
use homing_core::id::NodeId;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ring::error::Unspecified;
use ring::hkdf;
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// A node's identity, and what the mesh's keys can do.
pub(crate) struct RingCrypto {
    pair: Ed25519KeyPair,
    public_key: [u8; 32],
    records: Records,
    /// Empty where the mesh has no key. Replaced while keys are rotated.
    keys: ArcSwap<Vec<Derived>>,
}

/// Whether this node signs its records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Records {
    Signed,
    /// Every node is of one user, or the mesh is insecure: who could forge a record may as well act for its owner.
    Unsigned,
}

/// What is derived from one of the mesh's keys.
struct Derived {
    id: KeyId,
    link: hmac::Key,
    datagram: hkdf::Prk,
}

impl RingCrypto {
    /// The identity of that seed, in the mesh of that key.
    ///
    /// # Errors
    /// The cryptography refuses its input, which it has no reason to.
    pub(crate) fn new(seed: &[u8; 32], mesh: &MeshKey) -> Result<Self, Unspecified> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Unspecified)?;
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| Unspecified)?;
        let records = match mesh {
            MeshKey::Keyed(_) => Records::Signed,
            MeshKey::Local(_) | MeshKey::Insecure => Records::Unsigned,
        };
        let keys = ArcSwap::from_pointee(derive_all(mesh)?);
        Ok(Self { pair, public_key, records, keys })
    }

    /// The id of this identity.
    pub(crate) fn id(&self) -> NodeId {
        NodeId::from_key_digest(&self.digest(&self.public_key))
    }

    /// From now on the mesh's keys are these. Handshakes under way with one that is gone fail, and are tried again.
    ///
    /// # Errors
    /// As [`new`](Self::new); the keys stay what they were.
    pub(crate) fn replace_keys(&self, mesh: &MeshKey) -> Result<(), Unspecified> {
        self.keys.store(derive_all(mesh)?.into());
        Ok(())
    }

    fn with_key<T>(&self, id: KeyId, run: impl FnOnce(&Derived) -> Option<T>) -> Option<T> {
        self.keys.load().iter().find(|key| key.id == id).and_then(run)
    }

    fn is_insecure(&self, key: KeyId) -> bool {
        key == KeyId::NONE && self.keys.load().is_empty()
    }
}

/// The id of a key: enough to tell a mesh's few keys apart, and nothing to guess the key by.
pub(crate) fn key_id(secret: &[u8; 32]) -> KeyId {
    Derived::from(secret).map_or(KeyId::NONE, |derived| derived.id)
}

fn derive_all(mesh: &MeshKey) -> Result<Vec<Derived>, Unspecified> {
    match mesh {
        MeshKey::Insecure => Ok(Vec::new()),
        MeshKey::Local(secret) => Ok(vec![Derived::from(secret)?]),
        MeshKey::Keyed(secrets) => secrets.iter().map(Derived::from).collect(),
    }
}

impl Derived {
    fn from(secret: &[u8; 32]) -> Result<Self, Unspecified> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"homing-1").extract(secret);
        let mut id = [0; 4];
        root.expand(&[b"id"], Length(id.len()))?.fill(&mut id)?;
        Ok(Self {
            // 0 is for who holds none.
            id: KeyId(u32::from_be_bytes(id).max(1)),
            link: root.expand(&[b"link"], hmac::HMAC_SHA256)?.into(),
            datagram: root.expand(&[b"datagram"], hkdf::HKDF_SHA256)?.into(),
        })
    }

    /// The key of one sender's datagrams in one of its lives (decisions B4).
    fn of_sender(&self, seal: &Seal) -> Result<LessSafeKey, Unspecified> {
        let epoch = seal.epoch.0.to_be_bytes();
        let info = [seal.sender.as_bytes().as_slice(), &epoch];
        Ok(LessSafeKey::new(UnboundKey::from(self.datagram.expand(&info, &CHACHA20_POLY1305)?)))
    }

    fn seal(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> Result<(), Unspecified> {
        let key = self.of_sender(seal)?;
        let (head, body) = buffer.split_at_mut_checked(clear).ok_or(Unspecified)?;
        let tag = key.seal_in_place_separate_tag(nonce(seal), Aad::from(&*head), body)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> Result<(), Unspecified> {
        let key = self.of_sender(seal)?;
        let (head, body) = buffer.split_at_mut_checked(clear).ok_or(Unspecified)?;
        let length = key.open_in_place(nonce(seal), Aad::from(&*head), body)?.len();
        buffer.truncate(clear + length);
        Ok(())
    }
}

impl Crypto for RingCrypto {
    fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        sha256(bytes)
    }

    fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        match self.records {
            Records::Signed => Some(signature(&self.pair, message)),
            Records::Unsigned => None,
        }
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }

    fn keys(&self) -> Vec<KeyId> {
        let held: Vec<_> = self.keys.load().iter().map(|key| key.id).collect();
        if held.is_empty() { vec![KeyId::NONE] } else { held }
    }

    fn prove(&self, exchange: &Exchange<'_>) -> Option<Proof> {
        let said = spoken(exchange);
        let mac = if self.is_insecure(exchange.key) {
            [0; 32]
        } else {
            let mac = |key: &Derived| hmac::sign(&key.link, &said).as_ref().try_into().ok();
            self.with_key(exchange.key, mac)?
        };
        Some(Proof { mac, signature: signature(&self.pair, &said) })
    }

    fn check(&self, exchange: &Exchange<'_>, peer: &[u8; 32], proof: &Proof) -> bool {
        let said = spoken(exchange);
        let is_by = |key: &Derived| hmac::verify(&key.link, &said, &proof.mac).ok();
        let holds_key =
            self.is_insecure(exchange.key) || self.with_key(exchange.key, is_by).is_some();
        holds_key && self.verify(peer, &said, &proof.signature)
    }

    fn seal(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool {
        if self.is_insecure(seal.key) {
            buffer.extend_from_slice(&[0; TAG_LEN]);
            return true;
        }
        self.with_key(seal.key, |key| key.seal(seal, clear, buffer).ok()).is_some()
    }

    fn open(&self, seal: &Seal, clear: usize, buffer: &mut Vec<u8>) -> bool {
        if self.is_insecure(seal.key) {
            let end = buffer.len().checked_sub(TAG_LEN).filter(|end| *end >= clear);
            buffer.truncate(end.unwrap_or(buffer.len()));
            return end.is_some();
        }
        self.with_key(seal.key, |key| key.open(seal, clear, buffer).ok()).is_some()
    }
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// What a proof begins with, so that one side's cannot be thrown back as the other's. None is the start of another.
fn label(role: Role) -> &'static [u8] {
    match role {
        Role::Dialler => b"homing-1 dialler\0",
        Role::Acceptor => b"homing-1 acceptor\0",
    }
}

/// What the mesh's key and the node's own vouch for in a handshake.
fn spoken(exchange: &Exchange<'_>) -> Vec<u8> {
    [label(exchange.role), exchange.transcript].concat()
}

fn signature(pair: &Ed25519KeyPair, message: &[u8]) -> [u8; 64] {
    pair.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
}

/// Unique under the sender's key: it never uses a count twice in one life.
fn nonce(seal: &Seal) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&seal.counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// How much HKDF is to give.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homing_core::id::Epoch;

    fn of_mesh(mesh: &MeshKey) -> RingCrypto {
        RingCrypto::new(&super::super::random(), mesh).unwrap()
    }

    fn with_key(key: u8) -> RingCrypto {
        of_mesh(&MeshKey::Keyed(vec![[key; 32]]))
    }

    fn exchange(key: u8, role: Role, transcript: &[u8]) -> Exchange<'_> {
        Exchange { key: key_id(&[key; 32]), role, transcript }
    }

    #[test]
    fn an_identity_is_that_of_its_seed_and_its_id_the_digest_of_its_key() {
        let (a, b) = (with_key(1), with_key(1));
        assert_ne!(a.id(), b.id());
        assert_eq!(a.id().as_bytes(), &sha256(&a.public_key())[..16]);
        let again = || RingCrypto::new(&[5; 32], &MeshKey::Insecure).unwrap().id();
        assert_eq!(again(), again());
    }

    #[test]
    fn a_proof_convinces_who_has_the_key_in_its_role_over_its_transcript_only() {
        let prover = with_key(1);
        let peer = prover.public_key();
        let said = exchange(1, Role::Dialler, b"hello");
        let proof = prover.prove(&said).unwrap();
        let check = |exchange: &Exchange<'_>, peer: &[u8; 32], proof: &Proof| {
            with_key(1).check(exchange, peer, proof)
        };
        assert!(check(&said, &peer, &proof));
        assert!(!check(&exchange(1, Role::Acceptor, b"hello"), &peer, &proof), "reflected");
        assert!(!check(&exchange(1, Role::Dialler, b"hullo"), &peer, &proof), "replayed");
        assert!(!check(&said, &with_key(1).public_key(), &proof), "a stolen id");
        assert!(!check(&said, &peer, &Proof { mac: [0; 32], ..proof }), "no key of the mesh");
        assert!(!check(&said, &peer, &Proof { signature: [0; 64], ..proof }), "no key of its own");
        assert!(!with_key(2).check(&said, &peer, &proof), "another key");
    }

    #[test]
    fn insecure_needs_no_key_of_the_mesh_but_one_of_ones_own() {
        let insecure = of_mesh(&MeshKey::Insecure);
        let said = Exchange { key: KeyId::NONE, role: Role::Dialler, transcript: b"hello" };
        let proof = insecure.prove(&said).unwrap();
        assert_eq!(proof.mac, [0; 32]);
        assert!(of_mesh(&MeshKey::Insecure).check(&said, &insecure.public_key(), &proof));
        assert!(!of_mesh(&MeshKey::Insecure).check(&said, &[1; 32], &proof));
        assert_eq!(insecure.keys(), [KeyId::NONE]);
        assert!(!with_key(1).check(&said, &insecure.public_key(), &proof), "downgrade");
        assert!(with_key(1).prove(&said).is_none());
    }

    #[test]
    fn keys_are_replaced_while_the_node_runs() {
        let crypto = with_key(1);
        let (old, new) = (key_id(&[1; 32]), key_id(&[2; 32]));
        let hold = |keys: &[u8]| {
            let keys = keys.iter().map(|key| [*key; 32]).collect();
            crypto.replace_keys(&MeshKey::Keyed(keys)).unwrap();
            crypto.keys()
        };
        assert_eq!(hold(&[1, 2]), [old, new]);
        assert_eq!(hold(&[2, 1]), [new, old]);
        assert_eq!(hold(&[2]), [new]);
        assert!(crypto.prove(&exchange(1, Role::Dialler, b"")).is_none());
    }

    fn seal(sender: u8, epoch: u64, counter: u64) -> Seal {
        let (key, sender) = (key_id(&[1; 32]), NodeId::from_bytes([sender; 16]));
        Seal { key, sender, epoch: Epoch(epoch), counter }
    }

    /// Seals `head|body`, changes the datagram, and says whether it opens.
    fn opens(change: impl FnOnce(&mut Vec<u8>), reader: &RingCrypto, by: Seal) -> bool {
        let mut datagram = b"headbody".to_vec();
        assert!(with_key(1).seal(&seal(9, 3, 7), 4, &mut datagram));
        assert_eq!(datagram.len(), 8 + TAG_LEN);
        assert!(datagram.starts_with(b"head") && !datagram[4..].starts_with(b"body"));
        change(&mut datagram);
        let opened = reader.open(&by, 4, &mut datagram);
        assert!(!opened || datagram == b"headbody");
        opened
    }

    #[test]
    fn a_datagram_opens_as_it_was_sealed_and_not_otherwise() {
        let right = seal(9, 3, 7);
        assert!(opens(|_| {}, &with_key(1), right));
        assert!(!opens(|_| {}, &with_key(2), right), "another key");
        assert!(!opens(|_| {}, &with_key(1), seal(8, 3, 7)), "another sender");
        assert!(!opens(|_| {}, &with_key(1), seal(9, 4, 7)), "another life");
        assert!(!opens(|_| {}, &with_key(1), seal(9, 3, 8)), "another count");
        assert!(!opens(|datagram| datagram[0] ^= 1, &with_key(1), right), "header");
        assert!(!opens(|datagram| datagram[7] ^= 1, &with_key(1), right), "body");
        assert!(!opens(|datagram| datagram[23] ^= 1, &with_key(1), right), "tag");
        assert!(!opens(|datagram| datagram.truncate(19), &with_key(1), right), "cut into the tag");
        assert!(!opens(Vec::clear, &with_key(1), right), "empty");
    }

    #[test]
    fn an_insecure_datagram_is_in_the_clear() {
        let crypto = of_mesh(&MeshKey::Insecure);
        let by = Seal { key: KeyId::NONE, ..seal(9, 1, 1) };
        let mut datagram = b"headbody".to_vec();
        assert!(crypto.seal(&by, 4, &mut datagram));
        assert!(datagram.starts_with(b"headbody"));
        assert!(crypto.open(&by, 4, &mut datagram));
        assert_eq!(datagram, b"headbody");
        assert!(!crypto.open(&by, 4, &mut b"headbody".to_vec()), "no room for a tag");
    }

    #[test]
    fn a_signature_verifies_under_its_key_only_and_only_a_keyed_mesh_signs() {
        let crypto = with_key(1);
        let signature = crypto.sign(b"record").unwrap();
        assert!(crypto.verify(&crypto.public_key(), b"record", &signature));
        assert!(!crypto.verify(&crypto.public_key(), b"recerd", &signature));
        assert!(!crypto.verify(&with_key(1).public_key(), b"record", &signature));
        assert!(of_mesh(&MeshKey::Insecure).sign(b"record").is_none());
        assert!(of_mesh(&MeshKey::Local([1; 32])).sign(b"record").is_none());
    }
}
