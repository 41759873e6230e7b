//! What was decided for a node, from wishes, environment and defaults?

use super::access::AccessSettings;
use super::bounds::Bounds;
use super::keys::Keys;
use super::parts::{Discovery, GROUP, GROUP_V6, Timings, Transport};
use super::{Config, Defaults};
use crate::discovery::RedisUrl;
use crate::discovery::own::OwnSource;
use crate::discovery::seeds::Seed;
use crate::error::ConfigError;
use crate::info::Kind;
use crate::net::{Net, TokioNet};
use crate::security::Authority;
use homing_core::limits::{NAME_MAX, OWN_SOURCES_MAX};
use homing_core::name::{MeshName, Namespace, NodeName};
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything decided: nothing in it is left to the environment or to a default.
pub(crate) struct Settings {
    pub(crate) mesh: MeshName,
    pub(crate) namespace: Namespace,
    pub(crate) name: NodeName,
    pub(crate) kind: Kind,
    pub(crate) listen: Listen,
    pub(crate) advertise: Vec<SocketAddr>,
    pub(crate) keys: Keys,
    /// `None`: a fresh one in memory.
    pub(crate) identity: Option<PathBuf>,
    pub(crate) tls: Option<Authority>,
    pub(crate) discovery: DiscoverySettings,
    /// The program's own ways to find peers.
    pub(crate) sources: Vec<OwnSource>,
    pub(crate) transport: Transport,
    pub(crate) timings: Timings,
    pub(crate) limits: Bounds,
    pub(crate) net: Arc<dyn Net>,
    pub(crate) access: AccessSettings,
    /// Keeps what an isolated mesh needs for as long as the node lives.
    pub(crate) defaults: Defaults,
}

/// Where to listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Listen {
    /// 127.0.0.1 and, where the system has it, `::1`; any free port.
    Loopback,
    /// 0.0.0.0 and, where the system has it, `::`; any free port, the same for both where it can be had.
    Everywhere,
    /// Exactly here; one that cannot be had is an error.
    At(Vec<SocketAddr>),
}

/// How to find first peers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DiscoverySettings {
    pub(crate) port: u16,
    /// One at least.
    pub(crate) groups: Vec<IpAddr>,
    pub(crate) ttl: u8,
    /// Empty: all.
    pub(crate) interfaces: Vec<String>,
    /// As they were written; resolved while the node runs.
    pub(crate) seeds: Vec<String>,
    pub(crate) redis: Option<RedisUrl>,
    pub(crate) rendezvous: Rendezvous,
    pub(crate) scouting: bool,
}

/// Where the nodes of one user and host meet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rendezvous {
    /// In the usual directory.
    Usual,
    /// In a directory of the mesh's name under this one.
    Under(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// A variable of the environment, or an empty text.
pub(super) type Environment<'a> = &'a dyn Fn(&'static str) -> OsString;

impl Settings {
    /// Whether the network is the system's, and not one of a test.
    pub(crate) fn is_real(&self) -> bool {
        !matches!(self.defaults, Defaults::Constants)
    }

    /// Whether the node is to be found on the network, and not on this host alone.
    pub(crate) fn leaves_host(&self) -> bool {
        self.keys.may_leave_host()
            && self.is_real()
            && match &self.listen {
                Listen::Loopback => false,
                Listen::Everywhere => true,
                Listen::At(addresses) => addresses.iter().any(|at| !at.ip().is_loopback()),
            }
    }
}

impl Config {
    /// Decides everything.
    ///
    /// # Errors
    /// The first setting that cannot be used; it names the field or the variable, and the value.
    pub(crate) fn resolve(&self) -> Result<Settings, ConfigError> {
        match self.defaults {
            Defaults::Environment => {
                self.resolve_in(&|variable| std::env::var_os(variable).unwrap_or_default())
            }
            Defaults::Isolated(_) | Defaults::Constants => self.resolve_in(&|_| OsString::new()),
        }
    }

    /// The same in a given environment.
    pub(super) fn resolve_in(&self, environment: Environment<'_>) -> Result<Settings, ConfigError> {
        let layered = self.layered(environment)?;
        layered.resolve_layered().map_err(|error| layered.placed(error))
    }

    fn resolve_layered(&self) -> Result<Settings, ConfigError> {
        check_timings(&self.timings)?;
        self.limits.check()?;
        let keys = self.resolve_keys()?;
        Ok(Settings {
            mesh: self.mesh.clone().unwrap_or_default(),
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone().unwrap_or_else(usual_name),
            kind: self.kind,
            listen: self.resolve_listen(&keys),
            advertise: self.advertise.clone(),
            keys,
            identity: self.identity.clone(),
            tls: self.tls.clone(),
            discovery: self.resolve_discovery()?,
            sources: self.resolve_sources()?,
            transport: self.transport,
            timings: self.timings,
            limits: self.limits,
            net: self.net.clone().unwrap_or_else(|| Arc::new(TokioNet)),
            access: self.resolve_access()?,
            defaults: self.defaults.clone(),
        })
    }

    /// A key opens the network; what is isolated stays so.
    fn resolve_listen(&self, keys: &Keys) -> Listen {
        match (&self.listen[..], keys, &self.defaults) {
            ([], Keys::Given(_) | Keys::File(_), Defaults::Environment) => Listen::Everywhere,
            ([], ..) => Listen::Loopback,
            (addresses, ..) => Listen::At(addresses.to_vec()),
        }
    }

    fn resolve_discovery(&self) -> Result<DiscoverySettings, ConfigError> {
        let wished: &Discovery = &self.discovery;
        let groups = wished.group.map_or_else(|| vec![GROUP, GROUP_V6], |group| vec![group]);
        if let Some(group) = groups.iter().find(|group| !group.is_multicast()) {
            let right = format!("it is no multicast group, such as {GROUP}");
            return Err(ConfigError::new("discovery.group", group, right));
        }
        if wished.port == 0 {
            return Err(ConfigError::new("discovery.port", &0, "it is 1 to 65535"));
        }
        let seeds = wished.seeds.clone();
        for seed in &seeds {
            if let Err(why) = Seed::parse(seed, wished.port) {
                return Err(ConfigError::new("seeds", seed, format!("it {why}")));
            }
        }
        Ok(DiscoverySettings {
            port: wished.port,
            groups,
            ttl: wished.ttl,
            interfaces: wished.interfaces.clone(),
            seeds,
            redis: self.resolve_redis()?,
            rendezvous: self.resolve_rendezvous()?,
            scouting: wished.scouting,
        })
    }

    fn resolve_redis(&self) -> Result<Option<RedisUrl>, ConfigError> {
        match &self.discovery.redis {
            Some(url) if !cfg!(feature = "redis") => {
                let right = "it needs a program that was built with the feature redis";
                Err(ConfigError::new("redis", url, right))
            }
            url => Ok(url.clone()),
        }
    }

    fn resolve_sources(&self) -> Result<Vec<OwnSource>, ConfigError> {
        if self.sources.len() > OWN_SOURCES_MAX {
            let right = format!("it is at most {OWN_SOURCES_MAX}");
            return Err(ConfigError::new("sources", &self.sources.len(), right));
        }
        Ok(self.sources.clone())
    }

    fn resolve_rendezvous(&self) -> Result<Rendezvous, ConfigError> {
        let base = match (&self.discovery.rendezvous, &self.defaults) {
            (Some(base), _) => base,
            (None, Defaults::Isolated(isolation)) => {
                return Ok(Rendezvous::Under(isolation.base().to_owned()));
            }
            (None, Defaults::Constants) => return Ok(Rendezvous::Nowhere),
            (None, Defaults::Environment) => return Ok(Rendezvous::Usual),
        };
        if !base.is_absolute() {
            let right = "it is not an absolute path: programs started elsewhere would not meet";
            return Err(ConfigError::new("discovery.rendezvous", &base.display(), right));
        }
        Ok(Rendezvous::Under(base.clone()))
    }
}

fn check_timings(timings: &Timings) -> Result<(), ConfigError> {
    let positive: [(&'static str, Duration); 9] = [
        ("timings.call", timings.call),
        ("timings.handshake", timings.handshake),
        ("timings.before_ping", timings.before_ping),
        ("timings.before_close", timings.before_close),
        ("timings.dial", timings.dial),
        ("timings.redial_min", timings.redial_min),
        ("timings.redial_max", timings.redial_max),
        ("timings.idle", timings.idle),
        ("timings.heartbeat_interval", timings.heartbeat_interval),
    ];
    if let Some((setting, _)) = positive.into_iter().find(|(_, span)| span.is_zero()) {
        return Err(ConfigError::new(setting, &"0s", "it is more than nothing"));
    }
    if timings.redial_min > timings.redial_max {
        let right = format!("it is at most redial_max, {:?}", timings.redial_max);
        let given = format!("{:?}", timings.redial_min);
        return Err(ConfigError::new("timings.redial_min", &given, right));
    }
    if let Some(right) = timings.flaw_of(timings.registration_lifetime) {
        let given = format!("{:?}", timings.registration_lifetime);
        return Err(ConfigError::new("timings.registration_lifetime", &given, right));
    }
    Ok(())
}

pub(super) fn text(
    environment: Environment<'_>,
    variable: &'static str,
) -> Result<String, ConfigError> {
    environment(variable)
        .into_string()
        .map_err(|given| ConfigError::new(variable, &given.display(), "it is not UTF-8"))
}

/// The program and its process number: `words-4711`.
fn usual_name() -> NodeName {
    let program = std::env::args_os().next().unwrap_or_default();
    named_after(Path::new(&program), std::process::id())
}

/// A name after a program of any name: what cannot stand in a node's name becomes a hyphen.
pub(super) fn named_after(program: &Path, process: u32) -> NodeName {
    let number = format!("-{process}");
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let plain: String = stem
        .trim_start_matches('.')
        .chars()
        .map(|sign| if sign.is_ascii_alphanumeric() || "-_.".contains(sign) { sign } else { '-' })
        .take(NAME_MAX - number.len())
        .collect();
    let plain = if plain.is_empty() { "node" } else { &plain };
    format!("{plain}{number}").parse().expect("only what may stand in a node's name is left")
}
