//! How is a transport address written?
//!
//! ```text
//! kind u8: 1 unix: host u64, path bytes ≤ 107
//!          4 tcp over IPv4: 4 bytes, port u16
//!          6 tcp over IPv6: 16 bytes, scope u32, port u16
//! ```
//! A kind from a newer peer cannot be measured, so each address stands behind its length and is skipped.

use crate::addr::TransportAddr;
use crate::limits::ADDRESSES_MAX;
use crate::wire::codec::{Malformed, Reader, put_bytes, put_varint};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::PathBuf;

/// Bytes of the path of a unix socket: what `sockaddr_un` takes.
pub const UNIX_PATH_MAX: usize = 107;

/// Appends addresses, the first [`ADDRESSES_MAX`] of them that can be told: a unix path that is not UTF-8, or is longer
/// than [`UNIX_PATH_MAX`], is left out.
pub fn put_addrs(out: &mut Vec<u8>, addrs: &[TransportAddr]) {
    let told = || addrs.iter().filter(|addr| is_telling(addr)).take(ADDRESSES_MAX);
    put_varint(out, told().count() as u64);
    let mut one = Vec::with_capacity(32);
    for addr in told() {
        one.clear();
        put_addr(&mut one, addr);
        put_bytes(out, &one);
    }
}

/// Reads what [`put_addrs`] wrote; kinds of a newer peer are left out.
///
/// # Errors
/// There are more than [`ADDRESSES_MAX`], or one is cut off.
pub fn read_addrs(reader: &mut Reader<'_>) -> Result<Vec<TransportAddr>, Malformed> {
    let count = reader.varint32()? as usize;
    if count > ADDRESSES_MAX {
        return Err(Malformed("addresses: too many"));
    }
    let mut addrs = Vec::with_capacity(count);
    for _ in 0..count {
        addrs.extend(read_addr(reader.bytes(UNIX_PATH_MAX + 16)?)?);
    }
    Ok(addrs)
}

fn put_addr(out: &mut Vec<u8>, addr: &TransportAddr) {
    match addr {
        TransportAddr::Unix { host, path } => {
            out.push(1);
            out.extend_from_slice(&host.to_be_bytes());
            out.extend_from_slice(path.to_str().unwrap_or_default().as_bytes());
        }
        TransportAddr::Tcp(SocketAddr::V4(addr)) => {
            out.push(4);
            out.extend_from_slice(&addr.ip().octets());
            out.extend_from_slice(&addr.port().to_be_bytes());
        }
        TransportAddr::Tcp(SocketAddr::V6(addr)) => {
            out.push(6);
            out.extend_from_slice(&addr.ip().octets());
            out.extend_from_slice(&addr.scope_id().to_be_bytes());
            out.extend_from_slice(&addr.port().to_be_bytes());
        }
    }
}

fn read_addr(bytes: &[u8]) -> Result<Option<TransportAddr>, Malformed> {
    let mut reader = Reader::new(bytes);
    let addr = match reader.u8()? {
        1 => {
            let host = reader.u64()?;
            if reader.rest().len() > UNIX_PATH_MAX {
                return Err(Malformed("address: path over its limit"));
            }
            let path = std::str::from_utf8(reader.rest())
                .map_err(|_| Malformed("address: path not UTF-8"))?;
            TransportAddr::Unix { host, path: PathBuf::from(path) }
        }
        4 => {
            let ip = Ipv4Addr::from(reader.array::<4>()?);
            TransportAddr::Tcp(SocketAddrV4::new(ip, reader.u16()?).into())
        }
        6 => {
            let ip = Ipv6Addr::from(reader.array::<16>()?);
            let scope = reader.u32()?;
            TransportAddr::Tcp(SocketAddrV6::new(ip, reader.u16()?, 0, scope).into())
        }
        _ => return Ok(None),
    };
    Ok(Some(addr))
}

fn is_telling(addr: &TransportAddr) -> bool {
    match addr {
        TransportAddr::Unix { path, .. } => {
            path.to_str().is_some_and(|path| path.len() <= UNIX_PATH_MAX)
        }
        TransportAddr::Tcp(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind_read_back() {
        let addrs = vec![
            TransportAddr::Unix { host: 7, path: "/run/user/1/homing/default/a.sock".into() },
            TransportAddr::Tcp("127.0.0.1:80".parse().unwrap()),
            TransportAddr::Tcp("[fe80::1%3]:443".parse().unwrap()),
        ];
        let mut out = Vec::new();
        put_addrs(&mut out, &addrs);
        assert_eq!(read_addrs(&mut Reader::new(&out)), Ok(addrs));
    }

    #[test]
    fn a_path_that_cannot_be_told_is_left_out_whole() {
        let unix = |length| TransportAddr::Unix { host: 7, path: "é".repeat(length).into() };
        let mut out = Vec::new();
        put_addrs(&mut out, &[unix(54), unix(53)]);
        assert_eq!(read_addrs(&mut Reader::new(&out)), Ok(vec![unix(53)]));
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let mut out = vec![1, 1 + 8 + 108, 1];
        out.resize(3 + 8 + 108, b'a');
        let refused = Err(Malformed("address: path over its limit"));
        assert_eq!(read_addrs(&mut Reader::new(&out)), refused);
    }

    #[test]
    fn a_kind_of_a_newer_peer_is_left_out() {
        let out = [2, 2, 99, 1, 7, 4, 127, 0, 0, 1, 0, 80];
        let known = TransportAddr::Tcp("127.0.0.1:80".parse().unwrap());
        assert_eq!(read_addrs(&mut Reader::new(&out)), Ok(vec![known]));
    }

    #[test]
    fn more_addresses_than_the_limit_are_refused_unread() {
        assert_eq!(read_addrs(&mut Reader::new(&[9])), Err(Malformed("addresses: too many")));
    }
}
