//! What can be typed? Every flag and command, with its help; nothing here acts.

mod access;
mod bench;
mod call;
mod config;
mod doctor;
mod guard;
mod intervals;
mod key;
mod listing;
mod register;
mod serve;
mod stream;
mod topics;
mod why;

pub(crate) use access::{
    AccessArgs, TokenArgs, TokenKeyArgs, TokenNewArgs, TokenShowArgs, TokenWhat,
};
pub(crate) use bench::{
    BenchArgs, BenchCallArgs, BenchIdleArgs, BenchMeshArgs, BenchPubArgs, BenchStreamArgs,
    BenchWhat, EchoArgs, FloodArgs, MemberArgs, RoundArgs,
};
pub(crate) use call::{CallArgs, ChoiceArgs, InputArgs, TypedEncoding};
pub(crate) use config::ConfigArgs;
pub(crate) use doctor::DoctorArgs;
pub(crate) use guard::GuardArgs;
pub(crate) use intervals::IntervalArgs;
pub(crate) use key::{KeyArgs, KeyIdArgs, KeyNewArgs, KeyRightArgs, KeyRotateArgs, KeyWhat};
pub(crate) use listing::{ListArgs, NodesArgs, WatchArgs};
pub(crate) use register::{Check, FreeArgs, RegisterArgs, WaitArgs};
pub(crate) use serve::{Answer, OfferArgs, ServeArgs};
pub(crate) use stream::StreamArgs;
pub(crate) use topics::{PubArgs, SubArgs};
pub(crate) use why::WhyArgs;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use crate::span;
use homing::{Address, MeshName, Namespace, NodeName};

const EXAMPLES: &str = "\
Examples:
  homing serve words@1.2.0/count --exec 'wc -w'    any program is a service
  homing call words/count < README.md              and is called from anywhere
  homing ls                                        what is offered
  homing sub 'orders.*'                            what is published
  homing why words/count                           where a call would go, and why
  homing doctor                                    why nodes are found, or not
  homing demo                                      the whole in one terminal

Exit codes:
  0        done
  1        other failures
  2        wrong usage or configuration
  10 + N   the mesh failed with gRPC's code N: 14 DEADLINE_EXCEEDED, 15 NOT_FOUND, 24 UNAVAILABLE …
  3 4      `homing doctor`: it works with warnings, nobody is found
  130 143  ended by SIGINT, SIGTERM";

/// What was typed to start this process. Help, the version and refusals are printed here; the exit code is for `main`.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|error| {
        let error = match error.kind() {
            // A newcomer types the name alone: show what can follow it.
            ErrorKind::MissingSubcommand => usage(),
            // Once more, by one who knows what each command is for.
            _ => whole().try_get_matches().err().unwrap_or(error),
        };
        let _ = error.print(); // nobody to tell it to
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

fn usage() -> clap::Error {
    let mut command = whole();
    let help = command.render_help();
    command.error(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, help)
}

/// All commands with all their arguments. Who runs one command builds the others for nothing: they are deferred.
fn whole() -> clap::Command {
    let mut command = Args::command();
    command.build();
    command
}

fn socket_address(typed: &str) -> Result<SocketAddr, String> {
    typed
        .parse()
        .map_err(|_| "it is an address and a port, like 127.0.0.1:0 or [::1]:7000".to_owned())
}

/// Programs find each other and call each other, with no address, no port, no broker and no configuration.
#[derive(Debug, Parser)]
#[command(name = "homing", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) mesh: MeshArgs,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) intervals: IntervalArgs,
    #[command(flatten)]
    pub(crate) screen: ScreenArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What a person, or a test, wants of `homing`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    Serve(ServeArgs),
    Call(CallArgs),
    Stream(StreamArgs),
    Pub(PubArgs),
    Sub(SubArgs),
    Register(Box<RegisterArgs>),
    Free(FreeArgs),
    Wait(WaitArgs),
    Ls(ListArgs),
    Nodes(NodesArgs),
    Watch(WatchArgs),
    Why(WhyArgs),
    Config(ConfigArgs),
    Doctor(DoctorArgs),
    Token(TokenArgs),
    Key(KeyArgs),
    Demo(DemoArgs),
    Bench(BenchArgs),
    /// A caller of the demo, in a process of its own.
    #[command(hide = true)]
    DemoCaller(DemoCallerArgs),
    /// The bare echo that the benchmark compares with, in a process of its own.
    #[command(hide = true)]
    BenchEcho(EchoArgs),
    /// Who writes as fast as it can for the benchmark, in a process of its own.
    #[command(hide = true)]
    BenchFlood(FloodArgs),
    /// One of the many of the benchmark, in a process of its own.
    #[command(hide = true)]
    BenchMember(MemberArgs),
}

/// Which mesh, and how to reach it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Mesh options")]
pub(crate) struct MeshArgs {
    /// The mesh: nodes of different meshes never meet [default: `HOMING_MESH`, or else default]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) mesh: Option<MeshName>,
    /// The part of the mesh whose services are offered and called [default: `HOMING_NAMESPACE`, or else default]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<Namespace>,
    /// The name of this node, for people [default: program and process number]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) name: Option<NodeName>,
    /// Where to listen; beyond loopback a key is needed [default: with a key everywhere, else loopback; any port]
    #[arg(long, global = true, value_name = "ADDR:PORT", value_parser = socket_address)]
    pub(crate) listen: Vec<SocketAddr>,
    /// What to tell others to dial, when it differs from where we listen
    #[arg(long, global = true, hide_short_help = true, value_name = "ADDR:PORT", value_parser = socket_address)]
    pub(crate) advertise: Vec<SocketAddr>,
    /// A node to try, besides those that are found; or srv:NAME, for those of a service record [default: `HOMING_SEEDS`]
    #[arg(long, global = true, value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) seed: Vec<String>,
    /// A Redis in which the nodes of the mesh make themselves known, as redis://[[USER]:PASSWORD@]HOST[:PORT] [default:
    /// `HOMING_REDIS`]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) redis: Option<Unread>,
    /// The UDP port on which nodes look for each other
    #[arg(long, global = true, hide_short_help = true, value_name = "PORT")]
    pub(crate) discovery_port: Option<u16>,
    /// The multicast group on which nodes look for each other (with a key)
    #[arg(long, global = true, hide_short_help = true, value_name = "ADDR")]
    pub(crate) discovery_group: Option<IpAddr>,
    /// How many routers a multicast may pass
    #[arg(long, global = true, hide_short_help = true, value_name = "N")]
    pub(crate) discovery_ttl: Option<u8>,
    /// Look for nodes on this network interface only; may be given several times
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// What links run over [default: auto]
    #[arg(long, global = true, value_enum, value_name = "KIND")]
    pub(crate) transport: Option<Transport>,
}

/// What was typed, and may have a password in it: it is read where a refusal does not repeat it.
#[derive(Clone)]
pub(crate) struct Unread(pub(crate) String);

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<String> for Unread {
    fn from(typed: String) -> Self {
        Self(typed)
    }
}

/// What a link may run over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Transport {
    /// Unix sockets on one host, TCP otherwise
    Auto,
    /// TCP only
    Tcp,
    /// Unix sockets only
    Unix,
}

impl Transport {
    /// As it is typed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        }
    }
}

/// What a person sees besides the result.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Screen")]
pub(crate) struct ScreenArgs {
    /// Say on stderr what happens: -v the main things, -vv more, -vvv all (or a filter in `HOMING_LOG`)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour; `NO_COLOR` in the environment means never
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorChoice {
    /// As it is typed.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// Show a mesh at work: services and callers as real processes, one killed and replaced before your eyes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing demo                 until Ctrl-C
  homing demo --seconds 10    ends by itself, with a summary")]
pub(crate) struct DemoArgs {
    /// End after this many seconds [default: when interrupted]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: Option<u64>,
}

/// What the demo tells its callers.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoCallerArgs {
    /// Whom to call.
    pub(crate) address: Address,
    /// What to send.
    pub(crate) payload: String,
    /// Between two calls.
    #[arg(long, value_parser = span::parse)]
    pub(crate) every: Duration,
}

#[cfg(test)]
mod tests;
