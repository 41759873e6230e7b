//! On which host is this process? Only who shares its kernel's boot and its network reaches the same addresses.

use std::os::unix::fs::MetadataExt as _;

use crate::security::sha256;

/// What tells one host from another, containers included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HostMark {
    /// The id of the kernel's boot; where there is none, the name of the host.
    pub(crate) boot_id: String,
    /// The inode of the network namespace; 0 where there is none.
    pub(crate) network: u64,
}

/// Bytes of a boot id that are kept.
pub(crate) const BOOT_ID_MAX: usize = 64;

impl HostMark {
    /// The mark of this process.
    pub(crate) fn here() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_else(|_| rustix::system::uname().nodename().to_string_lossy().into_owned());
        let network = std::fs::metadata("/proc/self/ns/net").map_or(0, |file| file.ino());
        let boot_id = boot_id.trim();
        let end = boot_id.floor_char_boundary(BOOT_ID_MAX);
        Self { boot_id: boot_id[..end].to_owned(), network }
    }

    /// The token of this host in addresses of unix sockets.
    pub(crate) fn token(&self) -> u64 {
        let mut bytes = self.network.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.boot_id.as_bytes());
        let mut token = [0; 8];
        token.copy_from_slice(&sha256(&bytes)[..8]);
        u64::from_be_bytes(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_token_and_another_network_has_another() {
        let here = HostMark::here();
        assert_eq!(here.token(), HostMark::here().token());
        let elsewhere = HostMark { network: here.network + 1, ..here.clone() };
        assert_ne!(here.token(), elsewhere.token());
    }
}
