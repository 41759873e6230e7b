//! How does `ring` fill in the core's seam? Ed25519 for identity, HMAC-SHA256 for proofs and tags.
//!
//! Links and datagrams have keys of their own, derived from the mesh's by HKDF, so that nothing said over one can be
//! used over the other (decisions B4, B6). Datagrams are authenticated here, not encrypted.

use homing_core::crypto::{Crypto, Role, TAG_LEN};
use homing_core::id::NodeId;
use ring::digest;
use ring::error::Unspecified;
use ring::hkdf;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::MeshKey;

/// An identity that lives as long as the process, and what the mesh's key can do.
pub(crate) struct RingCrypto {
    public_key: [u8; 32],
    mesh: MeshKeys,
}

/// What is derived from the mesh's key.
enum MeshKeys {
    Secret { link: hmac::Key, datagram: Box<hmac::Key> },
    Insecure,
}

impl RingCrypto {
    /// A fresh identity in the mesh of that key.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn new(key: &MeshKey) -> Result<Self, Unspecified> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Unspecified)?;
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| Unspecified)?;
        Ok(Self { public_key, mesh: MeshKeys::derive(key)? })
    }

    /// The id of this identity.
    pub(crate) fn id(&self) -> NodeId {
        NodeId::from_key_digest(&self.digest(&self.public_key))
    }
}

impl MeshKeys {
    fn derive(key: &MeshKey) -> Result<Self, Unspecified> {
        let MeshKey::Secret(secret) = key else {
            return Ok(Self::Insecure);
        };
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"homing-1").extract(secret);
        let derive =
            |purpose: &[u8]| root.expand(&[purpose], hmac::HMAC_SHA256).map(hmac::Key::from);
        Ok(Self::Secret { link: derive(b"link")?, datagram: Box::new(derive(b"datagram")?) })
    }
}

impl Crypto for RingCrypto {
    fn public_key(&self) -> [u8; 32] {
        self.public_key
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        sha256(bytes)
    }

    fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
        None // Every mesh is of one user or insecure so far: who could forge a record may as well act for its owner.
    }

    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }

    fn prove(&self, role: Role, transcript: &[u8]) -> [u8; 32] {
        match &self.mesh {
            MeshKeys::Secret { link, .. } => mac(link, &[label(role), transcript]),
            MeshKeys::Insecure => [0; 32],
        }
    }

    fn check(&self, role: Role, transcript: &[u8], proof: &[u8; 32]) -> bool {
        match &self.mesh {
            MeshKeys::Secret { link, .. } => same(&mac(link, &[label(role), transcript]), proof),
            MeshKeys::Insecure => true,
        }
    }

    fn seal(&self, sender: NodeId, header: usize, buffer: &mut Vec<u8>) {
        let tag = self.tag(sender, header, buffer);
        buffer.extend_from_slice(&tag);
    }

    fn open(&self, sender: NodeId, header: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(body_end) = buffer.len().checked_sub(TAG_LEN).filter(|end| *end >= header) else {
            return false;
        };
        let expected = self.tag(sender, header, &buffer[..body_end]);
        let genuine = match &self.mesh {
            MeshKeys::Secret { .. } => same(&expected, &buffer[body_end..]),
            MeshKeys::Insecure => true,
        };
        buffer.truncate(body_end);
        genuine
    }
}

impl RingCrypto {
    /// The tag over who sent it, where the header ends, header and body.
    fn tag(&self, sender: NodeId, header: usize, bytes: &[u8]) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        if let MeshKeys::Secret { datagram, .. } = &self.mesh {
            let header = (header as u64).to_be_bytes();
            tag.copy_from_slice(&mac(datagram, &[sender.as_bytes(), &header, bytes])[..TAG_LEN]);
        }
        tag
    }
}

/// What tells a mesh's key from others, and nothing of it.
pub(crate) fn key_id(secret: &[u8; 32]) -> homing_core::crypto::KeyId {
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"homing-1").extract(secret);
    let id = root.expand(&[b"id"], hmac::HMAC_SHA256).map(hmac::Key::from);
    let tag = id.map_or([0; 32], |id| mac(&id, &[b"id"]));
    homing_core::crypto::KeyId(u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]]).max(1))
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

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// Compares in a time that does not depend on where the difference is. `ring` compares whole MACs only, and tags are
/// cut ones.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |bits, (a, b)| std::hint::black_box(bits | (a ^ b)));
    a.len() == b.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(key: u8) -> RingCrypto {
        RingCrypto::new(&MeshKey::Secret([key; 32])).unwrap()
    }

    fn insecure() -> RingCrypto {
        RingCrypto::new(&MeshKey::Insecure).unwrap()
    }

    #[test]
    fn every_identity_is_fresh_and_its_id_is_the_digest_of_its_key() {
        let (a, b) = (with_key(1), with_key(1));
        assert_ne!(a.id(), b.id());
        assert_eq!(a.id().as_bytes(), &sha256(&a.public_key())[..16]);
    }

    #[test]
    fn a_proof_convinces_who_has_the_key_in_its_role_over_its_transcript_only() {
        let proof = with_key(1).prove(Role::Dialler, b"hello");
        assert!(with_key(1).check(Role::Dialler, b"hello", &proof));
        assert!(!with_key(1).check(Role::Acceptor, b"hello", &proof), "reflected");
        assert!(!with_key(1).check(Role::Dialler, b"hullo", &proof), "replayed");
        assert!(!with_key(2).check(Role::Dialler, b"hello", &proof), "another key");
        assert!(!with_key(1).check(Role::Dialler, b"hello", &[0; 32]), "no key");
    }

    #[test]
    fn insecure_proves_nothing_and_takes_anything() {
        assert_eq!(insecure().prove(Role::Dialler, b"hello"), [0; 32]);
        assert!(insecure().check(Role::Acceptor, b"hello", &[7; 32]));
    }

    /// Seals `head|body`, changes the datagram, and says whether it opens.
    fn opens(change: impl FnOnce(&mut Vec<u8>), reader: &RingCrypto, sender: u8) -> bool {
        let mut datagram = b"headbody".to_vec();
        with_key(1).seal(NodeId::from_bytes([9; 16]), 4, &mut datagram);
        assert_eq!(datagram.len(), 8 + TAG_LEN);
        change(&mut datagram);
        let opened = reader.open(NodeId::from_bytes([sender; 16]), 4, &mut datagram);
        assert!(!opened || datagram == b"headbody");
        opened
    }

    #[test]
    fn a_datagram_opens_as_it_was_sealed_and_not_otherwise() {
        assert!(opens(|_| {}, &with_key(1), 9));
        assert!(opens(|_| {}, &insecure(), 9));
        assert!(!opens(|_| {}, &with_key(2), 9), "another key");
        assert!(!opens(|_| {}, &with_key(1), 8), "another sender");
        assert!(!opens(|datagram| datagram[0] ^= 1, &with_key(1), 9), "header");
        assert!(!opens(|datagram| datagram[7] ^= 1, &with_key(1), 9), "body");
        assert!(!opens(|datagram| datagram[23] ^= 1, &with_key(1), 9), "tag");
        assert!(!opens(|datagram| datagram.truncate(19), &with_key(1), 9), "cut into the header");
        assert!(!opens(Vec::clear, &with_key(1), 9), "empty");
    }

    #[test]
    fn a_signature_verifies_under_its_key_only() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let key = pair.public_key().as_ref().try_into().unwrap();
        let signature = pair.sign(b"record").as_ref().try_into().unwrap();
        let crypto = insecure();
        assert!(crypto.verify(&key, b"record", &signature));
        assert!(!crypto.verify(&key, b"recerd", &signature));
        assert!(!crypto.verify(&crypto.public_key(), b"record", &signature));
    }
}
