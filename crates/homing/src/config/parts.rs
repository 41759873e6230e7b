//! How are first peers found, what carries links, and how long may things take?

use crate::discovery::RedisUrl;
use homing_core::limits;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

/// The UDP port on which nodes look for each other when nobody said. Outside of the ports that systems hand out by
/// themselves, assigned to nobody, and neither cote's (12345) nor zenoh's (7446): who scouts there would hear strangers.
pub const DISCOVERY_PORT: u16 = 24_664;

/// The multicast group on which nodes look for each other when nobody said: of the range that each site may use as it
/// likes (RFC 2365) and that routers keep inside.
pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 255, 46, 64));

/// The same for IPv6: within one network, of those that nobody assigns; spelled after the project.
pub const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0x686f, 0x6d69, 0x6e67));

/// How a node finds its first peers. All ways are tried at once; one peer found is enough, for it knows the others.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Discovery {
    /// The UDP port to scout on. Default: [`DISCOVERY_PORT`]. All nodes that are to find each other by scouting need
    /// the same; it is shared, any number of nodes of one host may use it.
    pub port: u16,
    /// The multicast group to scout on, beyond this host only. Default: [`GROUP`]
    /// and, where there is IPv6, [`GROUP_V6`]; one that is given stands for both.
    pub group: Option<IpAddr>,
    /// How many networks a multicast may cross: it dies at the router that makes it 0. Default: 1, this network only,
    /// for a wider circle is for the network's administrator to want.
    pub ttl: u8,
    /// The names of the interfaces to scout on, beyond this host only. Default: none given, which means all.
    pub interfaces: Vec<String>,
    /// Where to ask first, as `host:port`, or a host or an address alone for the node at [`port`](Self::port). With the
    /// feature `srv` also `srv:example.org`, for the service records of `_homing._tcp.example.org`; a name that begins with
    /// an underscore is one of its own. Default: `HOMING_SEEDS`, separated by commas. Names are resolved again and again;
    /// one that cannot be is reported and tried again, the others still count.
    pub seeds: Vec<String>,
    /// A Redis in which the nodes of a mesh make themselves known, as `redis://HOST`; it needs the feature `redis`. Nodes
    /// that are to find each other there need the same, and meshes that share one need different names. A node without an
    /// address beyond its host is told of only in a Redis on that host. Default: `HOMING_REDIS`, or else none, for it is
    /// one more thing to run where multicast and seeds do not suffice.
    pub redis: Option<RedisUrl>,
    /// The directory under which each mesh has one where the nodes of this user on this host meet. Default:
    /// `HOMING_RENDEZVOUS`, else `$XDG_RUNTIME_DIR/homing`, else `homing-UID` in the directory for temporary files
    /// (decisions B3). Made where it is absent; refused where others could enter it.
    pub rendezvous: Option<PathBuf>,
    /// Whether to scout with datagrams to everybody: on this host's loopback or, with a [`key`](super::Config::key), on
    /// every network, unless the node listens at loopback addresses only. Default: yes. Without, only those are found who are in
    /// the rendezvous directory, at a seed, or known to one that was found.
    pub scouting: bool,
}

/// What links go over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Transport {
    /// A unix socket on one host, TCP otherwise.
    #[default]
    Auto,
    /// TCP only: as between hosts, for measuring.
    Tcp,
    /// Unix sockets only: nobody on another host is reached, whatever the addresses.
    Unix,
}

/// How long things may take.
///
/// The intervals of membership and registry are not among them: all nodes of a mesh need the same, and theirs were
/// measured at a thousand nodes (decisions C6; [`limits`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Timings {
    /// How long a call may take when the caller did not say, waiting for an instance included. Default: 5 s, what a
    /// person waits before looking for the mistake elsewhere.
    pub call: Duration,
    /// From the first byte of a connection to the end of its handshake; then it is closed. Default: 5 s, for a node
    /// under load is slow, and who says nothing costs little for so long.
    pub handshake: Duration,
    /// Silence on a link until its peer is asked for a sign of life. Default: 2.5 s: a busy link is never asked.
    pub before_ping: Duration,
    /// Silence after that until the link is given up. Default: 4.5 s; with the above, a cut cable is noticed within 7 s,
    /// and a peer that stalled for 4 s is not lost.
    pub before_close: Duration,
    /// One dial, over all addresses of a node. Default: 3 s, one repetition of TCP's first packet included, which comes
    /// after 1 s.
    pub dial: Duration,
    /// The first pause before a wanted link that failed is dialled again; each later one is about twice as long.
    /// Default: 100 ms, for most failures are restarts.
    pub redial_min: Duration,
    /// The longest such pause. Default: 5 s, so that a healed network is used again soon.
    pub redial_max: Duration,
    /// How long a link that nobody uses or keeps stays. Default: 1 min: dialling again costs milliseconds, a link some
    /// memory and a ping now and then.
    pub idle: Duration,
    /// How long a node that closes waits for the calls it has. Default: 30 s, what service supervisors allow before
    /// they kill (decisions D6).
    pub drain: Duration,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            port: DISCOVERY_PORT,
            group: None,
            ttl: 1,
            interfaces: Vec::new(),
            seeds: Vec::new(),
            redis: None,
            rendezvous: None,
            scouting: true,
        }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            call: limits::CALL_TIME,
            handshake: limits::HANDSHAKE_TIME,
            before_ping: limits::BEFORE_PING,
            before_close: limits::BEFORE_CLOSE,
            dial: limits::DIAL_TIME,
            redial_min: limits::REDIAL_MIN,
            redial_max: limits::REDIAL_MAX,
            idle: limits::IDLE_TIME,
            drain: limits::DRAIN_TIME,
        }
    }
}
