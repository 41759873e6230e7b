//! What do two nodes tell each other first?
//!
//! Each side sends one `Hello`, the dialler first; then each proves that it knows the mesh's key (a
//! [`Frame::Proof`](crate::wire::Frame)), the dialler first again (decisions B6, D8). Nothing else is read before.
//!
//! ```text
//! "HMG1"  length u16  lowest u8  highest u8  features u64  required u64  mesh 8  nonce 16
//! id 16   key 32   epoch varint   kind u8   claim: number varint, 0 | 1 dialler 16 epoch varint number varint
//! conversations varint   window varint   link window varint   keys: count u8 (1 to 4), each u32
//! name str   agent str   addresses
//! (more, from a newer peer: ignored)
//! ```

use crate::addr::TransportAddr;
use crate::crypto::KeyId;
use crate::id::{Epoch, NodeId};
use crate::limits::{CONVERSATIONS_MAX, HELLO_MAX, LINK_WINDOW, MESH_KEYS_MAX, NAME_MAX, WINDOW};
use crate::name::NodeName;
use crate::wire::addr::{put_addrs, read_addrs};
use crate::wire::codec::{Malformed, Reader, put_str, put_varint};

/// The first bytes of every link.
pub const MAGIC: [u8; 4] = *b"HMG1";
/// The lowest version of the protocol spoken here.
pub const VERSION_MIN: u8 = 1;
/// The highest version of the protocol spoken here.
pub const VERSION_MAX: u8 = 1;
/// The optional parts of the protocol known here, a bit each. None has been given a bit yet.
pub const FEATURES: u64 = 0;

/// What part a node takes in the mesh (decisions A8).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// It is gossiped about, offers services, and keeps the registry.
    #[default]
    Member,
    /// It passes through: a one-shot command, a short-lived client. Nobody lists it but the nodes it linked to.
    Visitor,
}

/// One link of a pair, named by who dialled it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LinkName {
    /// Who dialled.
    pub dialler: NodeId,
    /// The dialler's epoch then.
    pub epoch: Epoch,
    /// The dialler's count of dials then.
    pub number: u64,
}

/// What a dialler says of its dial, so that both sides decide alike which link of a pair stays (decisions A14).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DialClaim {
    /// The dialler's count of dials: a higher one replaces a lower one.
    pub number: u64,
    /// The last link of this pair that the dialler saw established and now holds dead.
    pub dead: Option<LinkName>,
}

/// Who is at an end of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its id: the digest of its key.
    pub id: NodeId,
    /// Its Ed25519 public key.
    pub key: [u8; 32],
    /// Its present life.
    pub epoch: Epoch,
    /// Member or visitor.
    pub kind: Kind,
    /// Its name for people.
    pub name: NodeName,
    /// Program and version, such as `homing/0.1.0`.
    pub agent: String,
    /// Where it listens.
    pub addresses: Vec<TransportAddr>,
}

/// How much an end of a link takes before it has to be asked (decisions A6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Windows {
    /// Conversations that the other side may have open.
    pub conversations: u32,
    /// Bytes of chunks in flight in one conversation.
    pub conversation: u32,
    /// Bytes of chunks in flight on the link.
    pub link: u32,
}

impl Default for Windows {
    fn default() -> Self {
        Self { conversations: CONVERSATIONS_MAX, conversation: WINDOW, link: LINK_WINDOW }
    }
}

/// The first words of one side of a link.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hello {
    /// Lowest and highest version of the protocol spoken.
    pub versions: (u8, u8),
    /// Optional parts known; unknown bits are ignored.
    pub features: u64,
    /// Optional parts insisted on; a side that lacks one refuses.
    pub required: u64,
    /// The first 8 bytes of the digest of the mesh's name.
    pub mesh: [u8; 8],
    /// Fresh chance, so that no proof can be replayed.
    pub nonce: [u8; 16],
    /// The mesh's keys that the speaker holds, the one it prefers first; 1 to [`MESH_KEYS_MAX`].
    pub keys: Vec<KeyId>,
    /// Who speaks.
    pub peer: Peer,
    /// What the dialler says of its dial; an acceptor's means nothing.
    pub claim: DialClaim,
    /// What the speaker takes.
    pub windows: Windows,
}

impl Hello {
    /// Appends the whole Hello, magic and length included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        let length_at = out.len();
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&[self.versions.0, self.versions.1]);
        out.extend_from_slice(&self.features.to_be_bytes());
        out.extend_from_slice(&self.required.to_be_bytes());
        out.extend_from_slice(&self.mesh);
        out.extend_from_slice(&self.nonce);
        self.encode_peer(out);
        let length = u16::try_from(out.len() - length_at - 2)
            .expect("every part is bounded, together below 4 KiB");
        out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn encode_peer(&self, out: &mut Vec<u8>) {
        let Peer { id, key, epoch, kind, name, agent, addresses } = &self.peer;
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(key);
        put_varint(out, epoch.0);
        out.push(match kind {
            Kind::Member => 0,
            Kind::Visitor => 1,
        });
        put_claim(out, &self.claim);
        put_varint(out, self.windows.conversations.into());
        put_varint(out, self.windows.conversation.into());
        put_varint(out, self.windows.link.into());
        put_keys(out, &self.keys);
        put_str(out, name.as_str());
        put_str(out, &agent[..agent.floor_char_boundary(NAME_MAX)]);
        put_addrs(out, addresses);
    }

    /// Reads a Hello from the front of `bytes`: how many bytes it took, or `None` while it is not all there.
    ///
    /// # Errors
    /// The bytes are not a Hello; nothing of them is believed.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let magic = bytes.len().min(MAGIC.len());
        if bytes[..magic] != MAGIC[..magic] {
            return Err(Malformed("hello: not the homing protocol"));
        }
        let Some(&[high, low]) = bytes.get(4..6).and_then(|length| length.first_chunk()) else {
            return Ok(None);
        };
        let end = 6 + usize::from(u16::from_be_bytes([high, low]));
        if end > HELLO_MAX {
            return Err(Malformed("hello: over its limit"));
        }
        let Some(body) = bytes.get(6..end) else { return Ok(None) };
        Self::decode_body(&mut Reader::new(body)).map(|hello| Some((hello, end)))
    }

    fn decode_body(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let versions = (reader.u8()?, reader.u8()?);
        let (features, required) = (reader.u64()?, reader.u64()?);
        let (mesh, nonce) = (reader.array()?, reader.array()?);
        let (id, key) = (NodeId::from_bytes(reader.array()?), reader.array()?);
        let epoch = Epoch(reader.varint()?);
        let kind = match reader.u8()? {
            0 => Kind::Member,
            1 => Kind::Visitor,
            _ => return Err(Malformed("hello: unknown kind of node")),
        };
        let claim = read_claim(reader)?;
        let windows = Windows {
            conversations: reader.varint32()?,
            conversation: reader.varint32()?,
            link: reader.varint32()?,
        };
        let keys = read_keys(reader)?;
        let name =
            reader.str(NAME_MAX)?.parse().map_err(|_| Malformed("hello: name of the node"))?;
        let agent = reader.str(NAME_MAX)?.to_owned();
        let addresses = read_addrs(reader)?;
        let peer = Peer { id, key, epoch, kind, name, agent, addresses };
        Ok(Self { versions, features, required, mesh, nonce, keys, peer, claim, windows })
    }
}

/// Appends ids of keys; those beyond [`MESH_KEYS_MAX`] are left out.
pub fn put_keys(out: &mut Vec<u8>, keys: &[KeyId]) {
    let keys = &keys[..keys.len().min(MESH_KEYS_MAX)];
    out.push(u8::try_from(keys.len()).expect("at most MESH_KEYS_MAX"));
    for key in keys {
        out.extend_from_slice(&key.0.to_be_bytes());
    }
}

/// Reads what [`put_keys`] wrote.
///
/// # Errors
/// It ends early, or there are more than [`MESH_KEYS_MAX`].
pub fn read_keys(reader: &mut Reader<'_>) -> Result<Vec<KeyId>, Malformed> {
    let count = usize::from(reader.u8()?);
    if count > MESH_KEYS_MAX {
        return Err(Malformed("too many keys of the mesh"));
    }
    (0..count).map(|_| Ok(KeyId(reader.u32()?))).collect()
}

fn put_claim(out: &mut Vec<u8>, claim: &DialClaim) {
    put_varint(out, claim.number);
    match &claim.dead {
        None => out.push(0),
        Some(LinkName { dialler, epoch, number }) => {
            out.push(1);
            out.extend_from_slice(dialler.as_bytes());
            put_varint(out, epoch.0);
            put_varint(out, *number);
        }
    }
}

fn read_claim(reader: &mut Reader<'_>) -> Result<DialClaim, Malformed> {
    let number = reader.varint()?;
    let dead = match reader.u8()? {
        0 => None,
        1 => {
            let dialler = NodeId::from_bytes(reader.array()?);
            Some(LinkName { dialler, epoch: Epoch(reader.varint()?), number: reader.varint()? })
        }
        _ => return Err(Malformed("hello: claim of the dialler")),
    };
    Ok(DialClaim { number, dead })
}

#[cfg(test)]
mod tests;
