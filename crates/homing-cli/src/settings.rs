//! What did the person mean? The mesh options that were typed, as the configuration of a node.

use crate::args::{AccessArgs, GuardArgs, IntervalArgs, MeshArgs, Transport, Unread};
use crate::exit::Failure;
use homing::config::show_span;
use homing::{Authority, Config, Guard, Kind, MeshName, TokenSource};
use std::path::Path;
use std::time::Duration;

/// How every node of this command joins the mesh.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    args: MeshArgs,
    guard: GuardArgs,
    access: AccessArgs,
    intervals: IntervalArgs,
    /// What the configuration file says, and what of the typed could be wrong.
    file: Config,
}

impl Settings {
    /// Of what was typed, and of the file that was named.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is not right.
    pub(crate) fn new(
        args: MeshArgs,
        guard: GuardArgs,
        access: AccessArgs,
        intervals: IntervalArgs,
    ) -> Result<Self, Failure> {
        let usage = |bad: homing::ConfigError| Failure::Usage(bad.to_string());
        let mut file = match &access.config {
            Some(path) => Config::from_file(path).map_err(usage)?,
            None => Config::default(),
        };
        if let Some(Unread(url)) = &args.redis {
            file = file.redis(url.trim()).map_err(usage)?;
        }
        Ok(Self { args, guard, access, intervals, file })
    }

    /// The configuration file that was typed, if any.
    pub(crate) fn config_file(&self) -> Option<&Path> {
        self.access.config.as_deref()
    }

    /// What was typed for `--transport`, if anything.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.args.transport
    }

    /// The same with another transport.
    pub(crate) fn with_transport(&self, transport: Transport) -> Self {
        let args = MeshArgs { transport: Some(transport), ..self.args.clone() };
        Self { args, ..self.clone() }
    }

    /// The same with the keys of this file.
    pub(crate) fn with_key_file(&self, file: &Path) -> Self {
        let guard = GuardArgs { key_file: Some(file.to_owned()), ..self.guard.clone() };
        Self { guard, ..self.clone() }
    }

    /// For services: a member, that others learn of.
    pub(crate) fn member(&self) -> Config {
        self.applied_to(self.file.clone())
    }

    /// For one-shot commands: a visitor, that nobody has to learn of (decisions A8).
    pub(crate) fn visitor(&self) -> Config {
        let mut config = self.file.clone();
        config.kind = Kind::Visitor;
        self.applied_to(config)
    }

    /// The same for another mesh, with no key where it is one of this user's programs, and else with what was typed.
    pub(crate) fn visitor_of(&self, mesh: &MeshName, guard: Guard) -> Config {
        let mut config = self.visitor();
        config.mesh = Some(mesh.clone());
        match guard {
            Guard::Local => config.keyless(),
            _ => config,
        }
    }

    fn apply_guard(&self, config: &mut Config) {
        let GuardArgs { key_file, identity, ca, cert, cert_key, insecure } = self.guard.clone();
        config.insecure = insecure;
        config.key_file = key_file;
        config.identity = identity;
        if let (Some(ca), Some(cert), Some(key)) = (ca, cert, cert_key) {
            config.tls = Some(Authority { ca, cert, key });
        }
    }

    fn applied_to(&self, mut config: Config) -> Config {
        self.apply_guard(&mut config);
        let args = self.args.clone();
        config.mesh = args.mesh;
        config.namespace = args.namespace;
        config.name = args.name;
        config.listen = args.listen;
        config.advertise = args.advertise;
        config.discovery.seeds = args.seed;
        config.discovery.interfaces = args.interface;
        config.discovery.group = args.discovery_group.or(config.discovery.group);
        config.token = self.access.token_file.clone().map(TokenSource::File);
        config.audit.clone_from(&self.access.audit);
        self.insist(&mut config);
        config
    }

    /// Says by name what counts also where it is the default.
    fn insist(&self, config: &mut Config) {
        let number = |number: Option<u16>| number.map(|number| number.to_string());
        let span = |span: Option<Duration>| span.map(show_span);
        let IntervalArgs { handshake_time, before_ping, before_close, .. } = self.intervals;
        let IntervalArgs { dial_time, redial_min, redial_max, idle_time, .. } = self.intervals;
        let IntervalArgs { heartbeat_interval, registration_lifetime, .. } = self.intervals;
        for (name, typed) in [
            ("discovery.port", number(self.args.discovery_port)),
            ("discovery.ttl", number(self.args.discovery_ttl.map(u16::from))),
            ("transport", self.args.transport.map(|transport| transport.name().to_owned())),
            ("timings.handshake", span(handshake_time)),
            ("timings.before_ping", span(before_ping)),
            ("timings.before_close", span(before_close)),
            ("timings.dial", span(dial_time)),
            ("timings.redial_min", span(redial_min)),
            ("timings.redial_max", span(redial_max)),
            ("timings.idle", span(idle_time)),
            ("timings.heartbeat_interval", span(heartbeat_interval)),
            ("timings.registration_lifetime", span(registration_lifetime)),
        ] {
            if let Some(typed) = typed {
                config.set(name, &typed).expect("what was typed is of the setting's kind");
            }
        }
    }
}

impl From<Transport> for homing::Transport {
    fn from(typed: Transport) -> Self {
        match typed {
            Transport::Auto => Self::Auto,
            Transport::Tcp => Self::Tcp,
            Transport::Unix => Self::Unix,
        }
    }
}
