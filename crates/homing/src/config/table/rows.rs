//! Which settings are there?

use super::{Form, Setting};
use crate::access::{AccessList, TokenSource};
use crate::config::{Config, Transport, parse_span, show_span};
use crate::discovery::{BadRedisUrl, RedisUrl};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// All of them, in the order in which they are listed.
pub(in crate::config) const SETTINGS: &[Setting] = &[
    Setting {
        name: "mesh",
        form: Form::Text,
        variable: Some("HOMING_MESH"),
        flag: Some("--mesh"),
        unset: "default",
        why: "nodes of different meshes never link, so several can share a network",
        read: |config| one(config.mesh.as_ref()),
        write: |config, text| name(&mut config.mesh, text),
    },
    Setting {
        name: "namespace",
        form: Form::Text,
        variable: Some("HOMING_NAMESPACE"),
        flag: Some("--namespace"),
        unset: "default",
        why: "parts a mesh: names are looked up and offered in one at a time",
        read: |config| one(config.namespace.as_ref()),
        write: |config, text| name(&mut config.namespace, text),
    },
    Setting {
        name: "name",
        form: Form::Text,
        variable: Some("HOMING_NAME"),
        flag: Some("--name"),
        unset: "program and process number",
        why: "what people see in lists; nothing depends on it",
        read: |config| one(config.name.as_ref()),
        write: |config, text| name(&mut config.name, text),
    },
    Setting {
        name: "key",
        form: Form::Secret,
        variable: Some("HOMING_KEY"),
        flag: None,
        unset: "none: this host only",
        why: "opens the network to whoever has it; two while it is exchanged",
        read: |config| secret(!config.key.is_empty()),
        write: |config, text| add(&mut config.key, text),
    },
    Setting {
        name: "key_file",
        form: Form::File,
        variable: Some("HOMING_KEY_FILE"),
        flag: Some("--key-file"),
        unset: "none",
        why: "keys in a file can be exchanged while nodes run",
        read: |config| path(config.key_file.as_deref()),
        write: |config, text| file(&mut config.key_file, text),
    },
    Setting {
        name: "identity",
        form: Form::File,
        variable: Some("HOMING_IDENTITY"),
        flag: Some("--identity"),
        unset: "a new one in memory",
        why: "keeps the id of the node over restarts, so that access lists can name it",
        read: |config| path(config.identity.as_deref()),
        write: |config, text| file(&mut config.identity, text),
    },
    Setting {
        name: "ca",
        form: Form::File,
        variable: Some("HOMING_CA"),
        flag: Some("--ca"),
        unset: "none",
        why: "the authority whose certificates peers must show, beside the key",
        read: |config| path(config.certificates().ca.as_deref()),
        write: |config, text| file(&mut config.heard.certificates.ca, text),
    },
    Setting {
        name: "cert",
        form: Form::File,
        variable: Some("HOMING_CERT"),
        flag: Some("--cert"),
        unset: "none",
        why: "the certificate that this node shows to peers",
        read: |config| path(config.certificates().cert.as_deref()),
        write: |config, text| file(&mut config.heard.certificates.cert, text),
    },
    Setting {
        name: "cert_key",
        form: Form::File,
        variable: Some("HOMING_CERT_KEY"),
        flag: Some("--cert-key"),
        unset: "none",
        why: "the private key of that certificate",
        read: |config| path(config.certificates().key.as_deref()),
        write: |config, text| file(&mut config.heard.certificates.key, text),
    },
    Setting {
        name: "listen",
        form: Form::List,
        variable: Some("HOMING_LISTEN"),
        flag: Some("--listen"),
        unset: "loopback (with a key: everywhere), any port",
        why: "fixes the port, or keeps off some networks",
        read: |config| many(&config.listen),
        write: |config, text| socket(&mut config.listen, text),
    },
    Setting {
        name: "advertise",
        form: Form::List,
        variable: Some("HOMING_ADVERTISE"),
        flag: Some("--advertise"),
        unset: "where it listens",
        why: "for nodes behind a translation of addresses: what others are to dial",
        read: |config| many(&config.advertise),
        write: |config, text| socket(&mut config.advertise, text),
    },
    Setting {
        name: "insecure",
        form: Form::Program,
        variable: None,
        flag: Some("--insecure"),
        unset: "false",
        why: "leaves out every proof, for tests in networks of one's own making; no variable and no file can say it",
        read: |config| switch(config.insecure, false),
        write: |config, text| yes(&mut config.insecure, text),
    },
    Setting {
        name: "seeds",
        form: Form::List,
        variable: Some("HOMING_SEEDS"),
        flag: Some("--seed"),
        unset: "none",
        why: "finds nodes where broadcasts and multicasts do not reach",
        read: |config| many(&config.discovery.seeds),
        write: |config, text| push(&mut config.discovery.seeds, text),
    },
    Setting {
        name: "redis",
        form: Form::Url,
        variable: Some("HOMING_REDIS"),
        flag: Some("--redis"),
        unset: "none",
        why: "finds nodes through a Redis that all of them reach, where nothing else does",
        read: |config| one(config.discovery.redis.as_ref()),
        write: |config, text| redis(&mut config.discovery.redis, text),
    },
    Setting {
        name: "discovery.port",
        form: Form::Number,
        variable: Some("HOMING_DISCOVERY_PORT"),
        flag: Some("--discovery-port"),
        unset: "",
        why: "the UDP port to look for each other on: the same for all who are to meet",
        read: |config| vec![config.discovery.port.to_string()],
        write: |config, text| number(&mut config.discovery.port, text),
    },
    Setting {
        name: "discovery.group",
        form: Form::Text,
        variable: Some("HOMING_DISCOVERY_GROUP"),
        flag: Some("--discovery-group"),
        unset: "239.255.46.64 and ff12::686f:6d69:6e67",
        why: "the multicast group, where a network has rules about them",
        read: |config| one(config.discovery.group.as_ref()),
        write: |config, text| address(&mut config.discovery.group, text),
    },
    Setting {
        name: "discovery.ttl",
        form: Form::Number,
        variable: Some("HOMING_DISCOVERY_TTL"),
        flag: Some("--discovery-ttl"),
        unset: "",
        why: "how many networks a multicast may cross; wider is for the administrator to want",
        read: |config| vec![config.discovery.ttl.to_string()],
        write: |config, text| number(&mut config.discovery.ttl, text),
    },
    Setting {
        name: "discovery.interfaces",
        form: Form::List,
        variable: Some("HOMING_DISCOVERY_INTERFACES"),
        flag: Some("--interface"),
        unset: "all",
        why: "keeps scouting off some networks",
        read: |config| many(&config.discovery.interfaces),
        write: |config, text| push(&mut config.discovery.interfaces, text),
    },
    Setting {
        name: "discovery.rendezvous",
        form: Form::File,
        variable: Some("HOMING_RENDEZVOUS"),
        flag: None,
        unset: "$XDG_RUNTIME_DIR/homing, or homing-UID in the directory for temporary files",
        why: "where programs of one user on one host find each other",
        read: |config| path(config.discovery.rendezvous.as_deref()),
        write: |config, text| file(&mut config.discovery.rendezvous, text),
    },
    Setting {
        name: "discovery.scouting",
        form: Form::Switch,
        variable: Some("HOMING_DISCOVERY_SCOUTING"),
        flag: None,
        unset: "",
        why: "whether to look for nodes by datagrams to everybody",
        read: |config| vec![config.discovery.scouting.to_string()],
        write: |config, text| yes(&mut config.discovery.scouting, text),
    },
    Setting {
        name: "transport",
        form: Form::Text,
        variable: Some("HOMING_TRANSPORT"),
        flag: Some("--transport"),
        unset: "",
        why: "what links go over: a unix socket on one host is quicker, TCP is what is measured between hosts",
        read: |config| vec![carrier(config.transport).to_owned()],
        write: |config, text| transport(&mut config.transport, text),
    },
    Setting {
        name: "timings.call",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_CALL"),
        flag: None,
        unset: "",
        why: "how long a call may take that does not say",
        read: |config| vec![show_span(config.timings.call)],
        write: |config, text| span(&mut config.timings.call, text),
    },
    Setting {
        name: "timings.handshake",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_HANDSHAKE"),
        flag: Some("--handshake-time"),
        unset: "",
        why: "a connection that does not prove itself in time is closed",
        read: |config| vec![show_span(config.timings.handshake)],
        write: |config, text| span(&mut config.timings.handshake, text),
    },
    Setting {
        name: "timings.before_ping",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_BEFORE_PING"),
        flag: Some("--before-ping"),
        unset: "",
        why: "silence on a link until its peer is asked for a sign of life",
        read: |config| vec![show_span(config.timings.before_ping)],
        write: |config, text| span(&mut config.timings.before_ping, text),
    },
    Setting {
        name: "timings.before_close",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_BEFORE_CLOSE"),
        flag: Some("--before-close"),
        unset: "",
        why: "silence after that until the link is given up",
        read: |config| vec![show_span(config.timings.before_close)],
        write: |config, text| span(&mut config.timings.before_close, text),
    },
    Setting {
        name: "timings.dial",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_DIAL"),
        flag: Some("--dial-time"),
        unset: "",
        why: "one dial, over all addresses of a node",
        read: |config| vec![show_span(config.timings.dial)],
        write: |config, text| span(&mut config.timings.dial, text),
    },
    Setting {
        name: "timings.redial_min",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_REDIAL_MIN"),
        flag: Some("--redial-min"),
        unset: "",
        why: "the first pause before a failed link is dialled again",
        read: |config| vec![show_span(config.timings.redial_min)],
        write: |config, text| span(&mut config.timings.redial_min, text),
    },
    Setting {
        name: "timings.redial_max",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_REDIAL_MAX"),
        flag: Some("--redial-max"),
        unset: "",
        why: "the longest such pause, so that a healed network is used again soon",
        read: |config| vec![show_span(config.timings.redial_max)],
        write: |config, text| span(&mut config.timings.redial_max, text),
    },
    Setting {
        name: "timings.idle",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_IDLE"),
        flag: Some("--idle-time"),
        unset: "",
        why: "how long a link stays that nobody uses",
        read: |config| vec![show_span(config.timings.idle)],
        write: |config, text| span(&mut config.timings.idle, text),
    },
    Setting {
        name: "timings.registration_lifetime",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_REGISTRATION_LIFETIME"),
        flag: Some("--registration-lifetime"),
        unset: "",
        why: "how long a record stays whose owner is gone without a word",
        read: |config| vec![show_span(config.timings.registration_lifetime)],
        write: |config, text| span(&mut config.timings.registration_lifetime, text),
    },
    Setting {
        name: "timings.heartbeat_interval",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_HEARTBEAT_INTERVAL"),
        flag: Some("--heartbeat-interval"),
        unset: "",
        why: "between two signals that what was registered is known elsewhere; three make the shortest lifetime",
        read: |config| vec![show_span(config.timings.heartbeat_interval)],
        write: |config, text| span(&mut config.timings.heartbeat_interval, text),
    },
    Setting {
        name: "timings.drain",
        form: Form::Span,
        variable: Some("HOMING_TIMINGS_DRAIN"),
        flag: None,
        unset: "",
        why: "how long a node that closes waits for the calls it has",
        read: |config| vec![show_span(config.timings.drain)],
        write: |config, text| span(&mut config.timings.drain, text),
    },
    Setting {
        name: "limits.half_open",
        form: Form::Number,
        variable: Some("HOMING_LIMITS_HALF_OPEN"),
        flag: None,
        unset: "",
        why: "connections that have not proven themselves yet",
        read: |config| vec![config.limits.half_open.to_string()],
        write: |config, text| number(&mut config.limits.half_open, text),
    },
    Setting {
        name: "limits.half_open_per_source",
        form: Form::Number,
        variable: Some("HOMING_LIMITS_HALF_OPEN_PER_SOURCE"),
        flag: None,
        unset: "",
        why: "of these, from one address",
        read: |config| vec![config.limits.half_open_per_source.to_string()],
        write: |config, text| number(&mut config.limits.half_open_per_source, text),
    },
    Setting {
        name: "limits.links",
        form: Form::Number,
        variable: Some("HOMING_LIMITS_LINKS"),
        flag: None,
        unset: "",
        why: "links, those half open included",
        read: |config| vec![config.limits.links.to_string()],
        write: |config, text| number(&mut config.limits.links, text),
    },
    Setting {
        name: "limits.conversations",
        form: Form::Number,
        variable: Some("HOMING_LIMITS_CONVERSATIONS"),
        flag: None,
        unset: "",
        why: "calls that a peer may have under way on one link",
        read: |config| vec![config.limits.conversations.to_string()],
        write: |config, text| number(&mut config.limits.conversations, text),
    },
    Setting {
        name: "limits.datagrams_per_second",
        form: Form::Number,
        variable: Some("HOMING_LIMITS_DATAGRAMS_PER_SECOND"),
        flag: None,
        unset: "",
        why: "datagrams heeded in a second from one address of the mesh",
        read: |config| vec![config.limits.datagrams_per_second.to_string()],
        write: |config, text| number(&mut config.limits.datagrams_per_second, text),
    },
    Setting {
        name: "limits.budget",
        form: Form::Number,
        variable: Some("HOMING_LIMITS_BUDGET"),
        flag: None,
        unset: "",
        why: "bytes held for peers, of all links together",
        read: |config| vec![config.limits.budget.to_string()],
        write: |config, text| number(&mut config.limits.budget, text),
    },
    Setting {
        name: "token",
        form: Form::Secret,
        variable: Some("HOMING_TOKEN"),
        flag: None,
        unset: "none",
        why: "what this node shows to access lists, beside its id",
        read: |config| secret(matches!(config.token, Some(TokenSource::Text(_)))),
        write: |config, text| token(config, text),
    },
    Setting {
        name: "token_file",
        form: Form::File,
        variable: Some("HOMING_TOKEN_FILE"),
        flag: Some("--token-file"),
        unset: "none",
        why: "a token in a file is read again when it is renewed",
        read: |config| token_path(config),
        write: |config, text| token_file(config, text),
    },
    Setting {
        name: "audit",
        form: Form::File,
        variable: Some("HOMING_AUDIT"),
        flag: Some("--audit"),
        unset: "none",
        why: "where refusals are written, a line each; - is stderr",
        read: |config| path(config.audit.as_deref()),
        write: |config, text| file(&mut config.audit, text),
    },
    Setting {
        name: "tokens.issuers",
        form: Form::List,
        variable: Some("HOMING_TOKENS_ISSUERS"),
        flag: None,
        unset: "nobody",
        why: "whose tokens are believed",
        read: |config| many(&config.issuers),
        write: |config, text| add(&mut config.issuers, text),
    },
    Setting {
        name: "access",
        form: Form::Rules,
        variable: None,
        flag: None,
        unset: "everybody in the mesh may do everything",
        why: "who may do what on this node: a table [[access]] for each rule",
        read: |config| rules(config.access.as_ref()),
        write: |config, text| no_text(config, text),
    },
];

fn one<T: Display>(value: Option<&T>) -> Vec<String> {
    value.into_iter().map(ToString::to_string).collect()
}

fn many<T: Display>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn path(path: Option<&Path>) -> Vec<String> {
    path.into_iter().map(|path| path.display().to_string()).collect()
}

fn switch(value: bool, usual: bool) -> Vec<String> {
    if value == usual { Vec::new() } else { vec![value.to_string()] }
}

fn secret(is_there: bool) -> Vec<String> {
    if is_there { vec!["set".to_owned()] } else { Vec::new() }
}

fn rules(list: Option<&AccessList>) -> Vec<String> {
    list.into_iter().map(|list| format!("{} rules", list.len())).collect()
}

fn carrier(transport: Transport) -> &'static str {
    match transport {
        Transport::Auto => "auto",
        Transport::Tcp => "tcp",
        Transport::Unix => "unix",
    }
}

fn token_path(config: &Config) -> Vec<String> {
    match &config.token {
        Some(TokenSource::File(file)) => path(Some(file)),
        Some(TokenSource::Text(_)) | None => Vec::new(),
    }
}

/// Reads what parses; a name's error says where it is wrong.
fn name<T>(field: &mut Option<T>, text: &str) -> Result<(), String>
where
    T: FromStr<Err = homing_core::name::BadName>,
{
    *field = Some(text.parse().map_err(|error: T::Err| error.problem().to_string())?);
    Ok(())
}

fn add<T: FromStr<Err: Display>>(field: &mut Vec<T>, text: &str) -> Result<(), String> {
    field.push(text.parse().map_err(|error: T::Err| error.to_string())?);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one form for all")]
fn push(field: &mut Vec<String>, text: &str) -> Result<(), String> {
    field.push(text.to_owned());
    Ok(())
}

fn socket(field: &mut Vec<SocketAddr>, text: &str) -> Result<(), String> {
    let right = "it is an address and a port, like 127.0.0.1:0 or [::1]:7000";
    field.push(text.parse().map_err(|_| right.to_owned())?);
    Ok(())
}

fn address(field: &mut Option<IpAddr>, text: &str) -> Result<(), String> {
    let right = "it is an address, like 239.255.46.64";
    *field = Some(text.parse().map_err(|_| right.to_owned())?);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one form for all")]
fn file(field: &mut Option<PathBuf>, text: &str) -> Result<(), String> {
    *field = Some(text.into());
    Ok(())
}

fn redis(field: &mut Option<RedisUrl>, text: &str) -> Result<(), String> {
    *field = Some(text.trim().parse().map_err(|error: BadRedisUrl| error.to_string())?);
    Ok(())
}

fn number<T: FromStr>(field: &mut T, text: &str) -> Result<(), String> {
    let most = u128::MAX >> (128 - 8 * size_of::<T>());
    let plain = text.replace('_', "");
    *field = plain.parse().map_err(|_| format!("it is a whole number up to {most}"))?;
    Ok(())
}

fn span(field: &mut Duration, text: &str) -> Result<(), String> {
    *field = parse_span(text)?;
    Ok(())
}

fn yes(field: &mut bool, text: &str) -> Result<(), String> {
    *field = text.parse().map_err(|_| "it is true or false".to_owned())?;
    Ok(())
}

fn transport(field: &mut Transport, text: &str) -> Result<(), String> {
    let all = [Transport::Auto, Transport::Tcp, Transport::Unix];
    let named = all.into_iter().find(|transport| carrier(*transport) == text);
    *field = named.ok_or("it is auto, tcp or unix")?;
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one form for all")]
fn token(config: &mut Config, text: &str) -> Result<(), String> {
    config.token = Some(TokenSource::Text(text.to_owned()));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one form for all")]
fn token_file(config: &mut Config, text: &str) -> Result<(), String> {
    config.token = Some(TokenSource::File(text.into()));
    Ok(())
}

fn no_text(_: &mut Config, _: &str) -> Result<(), String> {
    Err("rules are tables of a configuration file: [[access]]".to_owned())
}
