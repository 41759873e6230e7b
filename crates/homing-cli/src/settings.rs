//! What did the person mean? The mesh options that were typed, as the configuration of a node.

use crate::args::{IntervalArgs, MeshArgs, Transport};
use homing::{Config, Timings};
use std::path::Path;

/// How every node of this command joins the mesh.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    args: MeshArgs,
    intervals: IntervalArgs,
}

impl Settings {
    /// Of what was typed.
    pub(crate) const fn new(args: MeshArgs, intervals: IntervalArgs) -> Self {
        Self { args, intervals }
    }

    /// What was typed for `--transport`, if anything.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.args.transport
    }

    /// The same with another transport.
    pub(crate) fn with_transport(&self, transport: Transport) -> Self {
        let args = MeshArgs { transport: Some(transport), ..self.args.clone() };
        Self { args, intervals: self.intervals.clone() }
    }

    /// The same with the keys of this file.
    pub(crate) fn with_key_file(&self, file: &Path) -> Self {
        let args = MeshArgs { key_file: Some(file.to_owned()), ..self.args.clone() };
        Self { args, intervals: self.intervals.clone() }
    }

    /// For services: a member, that others learn of.
    pub(crate) fn member(&self) -> Config {
        self.applied_to(Config::default())
    }

    /// For one-shot commands: a visitor, that nobody has to learn of (decisions A8).
    pub(crate) fn visitor(&self) -> Config {
        self.applied_to(Config::visitor())
    }

    fn applied_to(&self, mut config: Config) -> Config {
        let args = self.args.clone();
        config.mesh = args.mesh;
        config.namespace = args.namespace;
        config.name = args.name;
        config.listen = args.listen;
        config.advertise = args.advertise;
        config.insecure = args.insecure;
        config.key_file = args.key_file;
        config.identity = args.identity;
        config.discovery.seeds = args.seed;
        config.discovery.interfaces = args.interface;
        config.discovery.port = args.discovery_port.unwrap_or(config.discovery.port);
        config.discovery.group = args.group.or(config.discovery.group);
        config.discovery.ttl = args.ttl.unwrap_or(config.discovery.ttl);
        config.transport = args.transport.map_or(config.transport, homing::Transport::from);
        self.apply_intervals(&mut config.timings);
        config
    }

    fn apply_intervals(&self, timings: &mut Timings) {
        let IntervalArgs { handshake_time, before_ping, before_close, .. } = self.intervals;
        let IntervalArgs { dial_time, redial_min, redial_max, idle_time, .. } = self.intervals;
        for (typed, setting) in [
            (handshake_time, &mut timings.handshake),
            (before_ping, &mut timings.before_ping),
            (before_close, &mut timings.before_close),
            (dial_time, &mut timings.dial),
            (redial_min, &mut timings.redial_min),
            (redial_max, &mut timings.redial_max),
            (idle_time, &mut timings.idle),
        ] {
            *setting = typed.unwrap_or(*setting);
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
