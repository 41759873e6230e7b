//! How shall a node be? Everything that can be set, with what for, the default, and why it is that.
//!
//! A [`Config`] is what somebody wished; when a node joins, wishes, environment and defaults are decided once.

mod access;
mod bounds;
pub(crate) mod file;
mod isolation;
mod keys;
mod layers;
mod parts;
pub(crate) mod settings;
mod span;
mod table;

use crate::access::{AccessList, Issuer, TokenSource};
use crate::discovery::PeerSource;
use crate::discovery::own::OwnSource;
use crate::error::ConfigError;
use crate::info::Kind;
use crate::net::Net;
use crate::security::{Authority, Key};
use crate::testing::Network;
use file::FileSettings;
use homing_core::name::{BadName, MeshName, Namespace, NodeName};
use isolation::Isolation;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use access::AccessSettings;
pub use bounds::Bounds;
pub(crate) use keys::Keys;
use layers::Heard;
pub use layers::{SetBy, SettingInfo};
pub use parts::{DISCOVERY_PORT, Discovery, GROUP, GROUP_V6, Timings, Transport};
#[cfg(test)]
use settings::{Listen, Rendezvous, Settings};
pub use span::{parse_span, show_span};

/// How a node is to join. The default needs nothing: it meets the other programs of this user on this host.
///
/// Fields take parsed values; the methods of the same names take text and can be chained.
///
/// ```
/// use homing::config::Config;
/// use std::time::Duration;
///
/// let mut config = Config::default().mesh("shop")?.name("till-3")?.seed("10.0.0.7");
/// config.timings.call = Duration::from_secs(2);
/// # Ok::<(), homing::error::ConfigError>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The mesh to join; nodes of different meshes never link. Default: `HOMING_MESH`, or else `default`, so that two
    /// programs of one user meet without a word.
    pub mesh: Option<MeshName>,
    /// Where names of services are looked up and offered if nothing else is said. Default: `HOMING_NAMESPACE`, or else
    /// `default`.
    pub namespace: Option<Namespace>,
    /// The node's name, for people; several may have the same. Default: the program's name and its process number,
    /// such as `words-4711`, which tells two runs of one program apart.
    pub name: Option<NodeName>,
    /// Whether the node takes part or passes through. Default: it takes part; see [`Config::visitor`].
    pub kind: Kind,
    /// The key of the mesh, and while it is exchanged the other one, too: the first is the one to send with. Default:
    /// `HOMING_KEY`, separated by commas, or else those of [`key_file`](Self::key_file), or else none. Without one a
    /// node stays on this host, among this user's programs; with one it is on the network, and whoever has the key is
    /// of its mesh.
    pub key: Vec<Key>,
    /// A file with the keys, a line each ([`KeyFile`](crate::KeyFile)); read again when it changes, so that keys can be
    /// exchanged while nodes run. Default: `HOMING_KEY_FILE`, or else none. Refused where others could read it, and
    /// beside keys that were given otherwise.
    pub key_file: Option<PathBuf>,
    /// A file with the node's identity, made on the first start: the node has the same id after a restart, and access
    /// lists can name it. Default: `HOMING_IDENTITY`, or else none, which means a fresh one in memory. One process at a
    /// time can use it.
    pub identity: Option<PathBuf>,
    /// Certificates of an authority of one's own, which links over TCP show instead of the nodes' own keys. They come
    /// beside a [`key`](Self::key), and are refused without. Default: none.
    pub tls: Option<Authority>,
    /// Where to listen for links (TCP) and datagrams (UDP, the same number); port 0 is any free one. Default: none
    /// given, which means a unix socket, and any free port: with a [`key`](Self::key) on every address of this host,
    /// without one on the loopback addresses. Other addresses than those need a key: without one a node stays on this
    /// host.
    pub listen: Vec<SocketAddr>,
    /// TCP addresses to tell others instead of those listened at, for those who see this host through a translation of
    /// addresses. Default: none. Same rule as for [`listen`](Self::listen).
    pub advertise: Vec<SocketAddr>,
    /// Leaves out every proof of a key: whoever reaches the node is of its mesh, and it may listen beyond this host.
    /// For tests in networks of one's own making; every list of nodes shows it. Default: no, for zero configuration must
    /// not mean open doors, and neither a variable nor a file can say yes.
    pub insecure: bool,
    /// How first peers are found.
    pub discovery: Discovery,
    /// The program's own ways to find peers; see [`source`](Self::source).
    pub(crate) sources: Vec<OwnSource>,
    /// What links go over. Default: a unix socket where both nodes are on one host, which takes two thirds of the time
    /// of TCP (decisions D1), and TCP otherwise.
    pub transport: Transport,
    /// How long things may take.
    pub timings: Timings,
    /// Who may do what on this node. Default: what the configuration file says; without a list, everybody in the mesh
    /// may do everything.
    pub access: Option<AccessList>,
    /// Whose tokens this node believes; at most [`ISSUERS_MAX`](crate::limits::ISSUERS_MAX). Default: what the
    /// configuration file says, and else nobody's.
    pub issuers: Vec<Issuer>,
    /// The token that this node shows with its calls and, where the token is bound to it, with its offers. Default:
    /// `HOMING_TOKEN`, else what the configuration file says, else none.
    pub token: Option<TokenSource>,
    /// The file to which refusals are written, a line each; `-` is stderr. Default: what the configuration file says,
    /// and else none.
    pub audit: Option<PathBuf>,
    /// The configuration file's word, which counts less than the environment's.
    pub(crate) file: Option<Arc<FileSettings>>,
    /// Who said what. In a box, for a config is moved about a lot.
    pub(crate) heard: Box<Heard>,
    /// Whether keys in the environment are not for this node.
    pub(crate) keyless: bool,
    /// How much others may make the node hold. Default: what [`limits`](crate::limits) says.
    pub limits: Bounds,
    /// The network. Default: the system's.
    pub(crate) net: Option<Arc<dyn Net>>,
    /// What fills in what was not said.
    pub(crate) defaults: Defaults,
}

/// What fills in what a [`Config`] leaves open.
#[derive(Clone, Default)]
pub(crate) enum Defaults {
    /// The environment, then constants.
    #[default]
    Environment,
    /// Constants, and a rendezvous directory that nobody else knows.
    Isolated(Arc<Isolation>),
    /// Constants, and no rendezvous directory: the network is not the system's.
    Constants,
}

impl Config {
    /// A node that passes through: it offers nothing, is told of to nobody, and leaves no trace (decisions A8). Right
    /// for one-shot commands and short-lived clients, for a member's coming and going is told to every node.
    pub fn visitor() -> Self {
        Self { kind: Kind::Visitor, ..Self::default() }
    }

    /// A mesh of its own, on this host, that no other program can meet, whatever the environment says: for tests,
    /// which would otherwise join the mesh of the developer's own programs (decisions E3).
    ///
    /// Clones are of the same mesh: nodes that are to meet get clones of one such config. Its rendezvous directory is a
    /// temporary one, and gone with the last of them and of their nodes.
    ///
    /// ```
    /// use homing::config::Config;
    ///
    /// let one = Config::isolated();
    /// assert_eq!(one.mesh, one.clone().mesh);
    /// assert_ne!(one.mesh, Config::isolated().mesh);
    /// ```
    pub fn isolated() -> Self {
        let isolation = Isolation::new();
        let mut config = Self { mesh: Some(isolation.mesh().clone()), ..Self::default() };
        config.discovery.scouting = false;
        config.defaults = Defaults::Isolated(Arc::new(isolation));
        config
    }

    /// A node on a host of a network in memory. It listens at its host's address, and finds others by
    /// [`seed`](Self::seed)s or by scouting, never by files.
    pub fn testing(network: &Network, host: &str) -> Self {
        let host = network.host(host);
        let mut config = Self { insecure: true, ..Self::default() };
        config.listen = vec![SocketAddr::new(host.ip(), 0)];
        config.transport = Transport::Tcp;
        config.defaults = Defaults::Constants;
        config.net(Arc::new(host))
    }

    /// A node as a configuration file says. What is set in the config afterwards counts more than the environment, and
    /// the environment more than the file. `HOMING_CONFIG` names a file for programs that name none.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("homing.toml");
    /// # std::fs::write(&path, r#"
    /// mesh = "shop"
    /// seeds = ["10.0.0.7", "10.0.0.8:7000"]
    /// audit = "refused.log"           # beside this file
    ///
    /// [[access]]
    /// who = "anyone"
    /// may = "call"
    /// on = "price*"
    /// # "#)?;
    /// let config = homing::Config::from_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Every setting can be said, by its name: [`Config::settings`] and `homing config` list them. Those with a dot are in a
    /// table of that name (`[timings]`, `[limits]`, `[discovery]`, `[tokens]`), times are texts like `"2.5s"`, a list may
    /// be one text, each rule of the [`AccessList`] is a table `[[access]]`. Secrets are not said in it: `key_file` and
    /// `token_file` name the files that have them.
    ///
    /// Paths are relative to the directory of the file.
    ///
    /// # Errors
    /// The file cannot be read, others can write it, or something in it is not right: then the error has the line.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = FileSettings::read(path.as_ref())?;
        Ok(Self { file: Some(Arc::new(file)), ..Self::default() })
    }

    /// Sets the [`mesh`](Self#structfield.mesh).
    ///
    /// # Errors
    /// The text is no mesh's name.
    pub fn mesh(mut self, name: &str) -> Result<Self, ConfigError> {
        self.mesh = Some(parsed("mesh", name)?);
        Ok(self)
    }

    /// Sets the [`namespace`](Self#structfield.namespace).
    ///
    /// # Errors
    /// The text is no namespace.
    pub fn namespace(mut self, name: &str) -> Result<Self, ConfigError> {
        self.namespace = Some(parsed("namespace", name)?);
        Ok(self)
    }

    /// Sets the node's [`name`](Self#structfield.name).
    ///
    /// # Errors
    /// The text is no node's name.
    pub fn name(mut self, name: &str) -> Result<Self, ConfigError> {
        self.name = Some(parsed("name", name)?);
        Ok(self)
    }

    /// Adds a [`key`](Self#structfield.key): the first one added is the one to send with.
    pub fn key(mut self, key: Key) -> Self {
        self.key.push(key);
        self
    }

    /// Sets the [`key_file`](Self#structfield.key_file).
    pub fn key_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.key_file = Some(file.into());
        self
    }

    /// Sets the [`identity`](Self#structfield.identity).
    pub fn identity(mut self, file: impl Into<PathBuf>) -> Self {
        self.identity = Some(file.into());
        self
    }

    /// Sets the [`tls`](Self#structfield.tls) certificates.
    pub fn tls(mut self, authority: Authority) -> Self {
        self.tls = Some(authority);
        self
    }

    /// Takes no key, whatever the environment says, and no Redis but one that is [set](Discovery::redis): for nodes that
    /// have nothing to do with the user's mesh.
    pub fn keyless(mut self) -> Self {
        self.key.clear();
        self.key_file = None;
        self.keyless = true;
        self
    }

    /// Adds an address to [`listen`](Self#structfield.listen) at.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
        self
    }

    /// Adds an address to [`advertise`](Self#structfield.advertise).
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertise.push(address);
        self
    }

    /// Leaves out every proof: see [`insecure`](Self#structfield.insecure).
    pub fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Adds a [seed](Discovery::seeds).
    pub fn seed(mut self, seed: impl Into<String>) -> Self {
        self.discovery.seeds.push(seed.into());
        self
    }

    /// Sets the [Redis](Discovery::redis) in which nodes make themselves known.
    ///
    /// # Errors
    /// The text is no URL of a Redis. The error does not repeat the password.
    pub fn redis(mut self, url: &str) -> Result<Self, ConfigError> {
        self.set("redis", url)?;
        Ok(self)
    }

    /// Adds a way to find peers that homing does not know; see [`PeerSource`]. More than
    /// [`OWN_SOURCES_MAX`](crate::limits::OWN_SOURCES_MAX) are refused when the node joins.
    pub fn source(mut self, source: impl PeerSource) -> Self {
        self.sources.push(OwnSource::new(source));
        self
    }

    /// Sets the base of the [rendezvous directory](Discovery::rendezvous).
    pub fn rendezvous(mut self, base: impl Into<PathBuf>) -> Self {
        self.discovery.rendezvous = Some(base.into());
        self
    }

    /// Sets the [`transport`](Self#structfield.transport).
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Puts another network in the place of the system's. The traits are those of [`net`](crate::net).
    pub fn net(mut self, net: Arc<dyn Net>) -> Self {
        self.net = Some(net);
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("mesh", &self.mesh)
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("key_file", &self.key_file)
            .field("identity", &self.identity)
            .field("tls", &self.tls)
            .field("listen", &self.listen)
            .field("advertise", &self.advertise)
            .field("insecure", &self.insecure)
            .field("discovery", &self.discovery)
            .field("sources", &self.sources)
            .field("transport", &self.transport)
            .field("timings", &self.timings)
            .field("access", &self.access)
            .field("issuers", &self.issuers)
            .field("token", &self.token)
            .field("audit", &self.audit)
            .field("file", &self.file)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

fn parsed<T>(setting: &'static str, text: &str) -> Result<T, ConfigError>
where
    T: std::str::FromStr<Err = BadName>,
{
    text.parse()
        .map_err(|error: BadName| ConfigError::new(setting, &text, error.problem().to_string()))
}

#[cfg(test)]
mod tests;
