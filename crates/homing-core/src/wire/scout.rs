//! What does a node say to everybody within earshot?
//!
//! ```text
//! clear u8 (bytes in the clear that follow)   guard u8 (0 local, 1 keyed, 2 insecure)   mesh str
//!                                             (more in the clear, from a newer node: ignored)
//! kind u8 (0 member, 1 visitor)   addresses   (more, from a newer node: ignored)
//! ```
//! The first line anybody can read, so that a person can be told which meshes there are; the rest is for who holds the
//! key. The tag of the datagram proves both.

use crate::addr::TransportAddr;
use crate::limits::NAME_MAX;
use crate::name::MeshName;
use crate::wire::addr::{put_addrs, read_addrs};
use crate::wire::codec::{Malformed, Reader, put_str};
use crate::wire::hello::Kind;

/// The body of a scout: which mesh the sender is of, and where it can be dialled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scout {
    /// What anybody may read.
    pub banner: Banner,
    /// Member or visitor.
    pub kind: Kind,
    /// Where the sender listens.
    pub addresses: Vec<TransportAddr>,
}

/// What a scout says in the clear.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Banner {
    /// The mesh that the sender is of.
    pub mesh: MeshName,
    /// What keeps strangers out of it.
    pub guard: Guard,
}

/// What keeps strangers away from a node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Guard {
    /// It stays on its host, among the programs of one user.
    #[default]
    Local,
    /// A key of the mesh.
    Keyed,
    /// Nothing: `--insecure`.
    Insecure,
}

impl Scout {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut clear = vec![self.banner.guard.number()];
        put_str(&mut clear, self.banner.mesh.as_str());
        out.push(u8::try_from(clear.len()).expect("a name and two bytes are below 256"));
        out.append(&mut clear);
        out.push(match self.kind {
            Kind::Member => 0,
            Kind::Visitor => 1,
        });
        put_addrs(out, &self.addresses);
    }

    /// Reads a body that was opened.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let banner = Banner::read(&mut reader)?;
        let kind = match reader.u8()? {
            0 => Kind::Member,
            1 => Kind::Visitor,
            _ => return Err(Malformed("scout: unknown kind of node")),
        };
        Ok(Self { banner, kind, addresses: read_addrs(&mut reader)? })
    }
}

impl Banner {
    /// Reads what stands in the clear at the beginning of a body, which need not have been opened: then nobody has proven
    /// that it is true.
    ///
    /// # Errors
    /// It is no scout's.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(body))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let clear = usize::from(reader.u8()?);
        let mut clear = Reader::new(reader.take(clear)?);
        let guard = Guard::from_number(clear.u8()?).ok_or(Malformed("scout: unknown guard"))?;
        let mesh = clear.str(NAME_MAX)?.parse().map_err(|_| Malformed("scout: name of a mesh"))?;
        Ok(Self { mesh, guard })
    }
}

impl Guard {
    /// Its number on the wire.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Local => 0,
            Self::Keyed => 1,
            Self::Insecure => 2,
        }
    }

    /// Whose number this is.
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Local),
            1 => Some(Self::Keyed),
            2 => Some(Self::Insecure),
            _ => None,
        }
    }
}

/// How many bytes at the beginning of a scout's body stay readable. A body that says more than it has is none, and is
/// sealed, and opened, as if all of it stayed so.
pub(super) fn clear_len(body: &[u8]) -> usize {
    body.first().map_or(0, |clear| (1 + usize::from(*clear)).min(body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scout() -> (Scout, Vec<u8>) {
        let banner = Banner { mesh: "shop".parse().unwrap(), guard: Guard::Keyed };
        let addresses = vec![TransportAddr::Tcp("10.0.0.7:7001".parse().unwrap())];
        let scout = Scout { banner, kind: Kind::Visitor, addresses };
        let mut body = Vec::new();
        scout.encode(&mut body);
        (scout, body)
    }

    #[test]
    fn a_scout_reads_back_and_its_banner_without_the_rest() {
        let (scout, body) = scout();
        assert_eq!(Scout::decode(&body), Ok(scout.clone()));
        let clear = &body[..clear_len(&body)];
        assert_eq!(Banner::decode(clear), Ok(scout.banner));
        assert_eq!(clear, b"\x06\x01\x04shop", "and no more than that can be read by anybody");
    }

    #[test]
    fn what_a_newer_node_adds_in_the_clear_is_passed_over() {
        let (scout, mut body) = scout();
        body[0] += 2;
        body.splice(7..7, [9, 9]);
        assert_eq!(Scout::decode(&body), Ok(scout));
    }

    #[test]
    fn a_banner_that_is_cut_or_names_no_mesh_is_none() {
        let (_, body) = scout();
        for end in 0..7 {
            assert!(Banner::decode(&body[..end]).is_err(), "{end}");
        }
        assert!(Banner::decode(b"\x06\x01\x04.bad").is_err());
        assert!(Banner::decode(b"\x06\x09\x04shop").is_err());
    }
}
