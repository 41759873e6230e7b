//! What does a node say of itself in Redis? Who it is and where: `ID 10.0.0.7:7000 [2001:db8::7]:7000`.

use homing_core::addr::TransportAddr;
use homing_core::id::NodeId;
use homing_core::limits::{ADDRESSES_MAX, REDIS_ENTRY_MAX};
use std::net::SocketAddr;

/// A node's entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) node: NodeId,
    /// One at least; of TCP, all of them.
    pub(super) addresses: Vec<TransportAddr>,
}

/// From where a Redis can be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// From this host: it was reached at a loopback address.
    Host,
    /// From others as well. Loopback addresses would lead each of them to itself.
    Network,
}

impl Entry {
    /// The entry of a node that listens there; none where nobody who asks could reach it.
    pub(super) fn of(node: NodeId, listening: &[TransportAddr], scope: Scope) -> Option<Self> {
        let of_use = |address: &&TransportAddr| match address {
            TransportAddr::Tcp(at) => flaw(*at, scope).is_none(),
            _ => false,
        };
        let addresses: Vec<_> =
            listening.iter().filter(of_use).take(ADDRESSES_MAX).cloned().collect();
        (!addresses.is_empty()).then_some(Self { node, addresses })
    }

    /// Reads what anybody may have written.
    ///
    /// # Errors
    /// Why it is not heeded.
    pub(super) fn read(bytes: &[u8], scope: Scope) -> Result<Self, &'static str> {
        if bytes.len() > REDIS_ENTRY_MAX {
            return Err("is too long");
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "is no text")?;
        let mut words = text.split(' ');
        let node = words.next().unwrap_or_default();
        let node = node.parse().map_err(|_| "does not begin with the id of a node")?;
        let mut addresses = Vec::new();
        for word in words {
            let at: SocketAddr = word.parse().map_err(|_| "has something that is no address")?;
            if addresses.len() == ADDRESSES_MAX {
                return Err("has too many addresses");
            }
            match flaw(at, scope) {
                Some(why) => return Err(why),
                None => addresses.push(TransportAddr::Tcp(at)),
            }
        }
        if addresses.is_empty() {
            return Err("has no address");
        }
        Ok(Self { node, addresses })
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        let mut text = self.node.to_string();
        for address in &self.addresses {
            if let TransportAddr::Tcp(at) = address {
                text.push(' ');
                text.push_str(&at.to_string());
            }
        }
        text
    }
}

/// What keeps everybody who asks there from dialling an address, if anything.
fn flaw(at: SocketAddr, scope: Scope) -> Option<&'static str> {
    let ip = at.ip().to_canonical();
    let is_everybody = matches!(ip, std::net::IpAddr::V4(ip) if ip.is_broadcast());
    if at.port() == 0 || ip.is_unspecified() || ip.is_multicast() || is_everybody {
        return Some("has an address that nobody can dial");
    }
    if ip.is_loopback() && scope == Scope::Network {
        return Some("has an address of its own host");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01010101010101010101010101010101";

    #[test]
    fn what_is_written_is_read() {
        let node = NodeId::from_bytes([1; 16]);
        let tcp = |at: &str| TransportAddr::Tcp(at.parse().unwrap());
        let unix = TransportAddr::Unix { host: 1, path: "/run/x".into() };
        let listening =
            [unix.clone(), tcp("127.0.0.1:7"), tcp("10.0.0.1:7"), tcp("[2001:db8::1]:7")];
        let entry = Entry::of(node, &listening, Scope::Network).unwrap();
        assert_eq!(entry.text(), format!("{node} 10.0.0.1:7 [2001:db8::1]:7"));
        assert_eq!(Entry::read(entry.text().as_bytes(), Scope::Network), Ok(entry));
        assert_eq!(Entry::of(node, &listening, Scope::Host).unwrap().addresses, listening[1..]);
        assert_eq!(Entry::of(node, &listening[..2], Scope::Network), None);
        assert_eq!(Entry::of(node, &[unix], Scope::Host), None);
    }

    #[test]
    fn the_longest_entry_is_within_its_bound() {
        let widest = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%4294967295]:65535";
        assert!(ID.len() + ADDRESSES_MAX * (widest.len() + 1) <= REDIS_ENTRY_MAX);
    }

    #[test]
    fn what_an_enemy_writes_is_not_heeded() {
        let bad = [
            ("", "does not begin"),
            ("x 10.0.0.1:7", "does not begin"),
            (ID, "has no address"),
            (&format!("{ID} "), "no address"),
            (&format!("{ID} 10.0.0.1"), "no address"),
            (&format!("{ID} a.example:7"), "no address"),
            (&format!("{ID} 10.0.0.1:0"), "nobody can dial"),
            (&format!("{ID} 0.0.0.0:7"), "nobody can dial"),
            (&format!("{ID} 255.255.255.255:7"), "nobody can dial"),
            (&format!("{ID} [ff02::1]:7"), "nobody can dial"),
            (&format!("{ID} 127.0.0.1:7"), "its own host"),
            (&format!("{ID} [::ffff:127.0.0.1]:7"), "its own host"),
            (&format!("{ID}{}", " 10.0.0.1:7".repeat(9)), "too many"),
            (&format!("{ID}{}", " ".repeat(REDIS_ENTRY_MAX)), "too long"),
        ];
        for (text, part) in bad {
            let why = Entry::read(text.as_bytes(), Scope::Network).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
        assert_eq!(Entry::read(&[0xff, b' '], Scope::Host), Err("is no text"));
    }
}
