//! Where is a service that does not use this library?

use crate::limits::HOST_NAME_MAX;
use crate::wire::{Malformed, Reader, put_str};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address, or a name that whoever wants to go there looks up.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name.
    Name(HostName),
}

/// The name of a host: 1 to [`HOST_NAME_MAX`] letters, digits, `-`, `_` and `.` of ASCII.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct HostName(String);

/// Text that is neither an address nor the name of a host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a host is an IP address, or a name of at most {HOST_NAME_MAX} letters, digits, '-', '_' and '.', not {given:?}"
)]
pub struct BadHost {
    given: String,
}

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > HOST_NAME_MAX || !text.bytes().all(is_fit) {
            return Err(BadHost { given: text.chars().take(64).collect() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        match text.parse() {
            Ok(ip) => Ok(Self::Ip(ip)),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(HostName(name)) => f.write_str(name),
        }
    }
}

impl Host {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ip(IpAddr::V4(ip)) => {
                out.push(4);
                out.extend_from_slice(&ip.octets());
            }
            Self::Ip(IpAddr::V6(ip)) => {
                out.push(6);
                out.extend_from_slice(&ip.octets());
            }
            Self::Name(HostName(name)) => {
                out.push(0);
                put_str(out, name);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match reader.u8()? {
            4 => Self::Ip(IpAddr::from(reader.array::<4>()?)),
            6 => Self::Ip(IpAddr::from(reader.array::<16>()?)),
            0 => {
                let name = reader.str(HOST_NAME_MAX)?.parse();
                Self::Name(name.map_err(|_| Malformed("record: host name"))?)
            }
            _ => return Err(Malformed("record: kind of a host")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_reads_back_from_its_text() {
        for text in ["10.0.0.5", "fe80::1", "db.example.org", "db_1"] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
        assert!(matches!("10.0.0.5".parse(), Ok(Host::Ip(_))));
    }

    #[test]
    fn what_cannot_be_looked_up_is_no_host() {
        for text in ["", "a b", "db:5432", "https://db", "a\n", &"a".repeat(HOST_NAME_MAX + 1)] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}
