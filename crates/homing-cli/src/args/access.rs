//! What can be typed about who may do what, and after `homing token`?

use clap::Subcommand;
use std::path::PathBuf;
use std::time::Duration;

use crate::span;
use homing::{Issuer, NodeId};

/// Who may do what, and by what this node shows who it is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Access options")]
pub(crate) struct AccessArgs {
    /// Settings, an access list and believed issuers of tokens, in TOML; what is typed counts more, and what is in the
    /// environment (see `homing config`) [default: `HOMING_CONFIG`]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The token to show, read again when it changes; `HOMING_TOKEN` holds one itself
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Write each refusal to this file, a line of JSON each; `-` is stderr
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
}

/// Make and read tokens: short-lived words that show to an access list who somebody is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing token key issuer.key                     prints the public key, for the configuration of the nodes
  homing token new --key issuer.key --subject till-3 --claim team=shop > till.token
  homing call price --token-file till.token
  homing token show - < till.token

The configuration of a node that believes them, and lets only them call (--config FILE):
  [tokens]
  issuers = \"hmt1_…\"
  [[access]]
  who = \"claim:team=shop\"
  may = \"call\"
  on = \"price*\"

Tokens live by the wall clocks of both sides, which may be 30 seconds apart.")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) what: TokenWhat,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenWhat {
    Key(TokenKeyArgs),
    New(TokenNewArgs),
    Show(TokenShowArgs),
}

/// Make the key of an issuer in a new file that only you can read, and print its public key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing token key issuer.key")]
pub(crate) struct TokenKeyArgs {
    /// Where to write the secret key; who has it can make tokens
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Print a new token.
///
/// Whoever holds it can use it, the services that are called with it included, unless it is bound to a node by --for.
/// A token by which a node is allowed to offer must be bound to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing token new --key issuer.key --subject till-3 --claim team=shop
  (umask 077; homing token new --key issuer.key --subject till-3 --lifetime 1h > till.token)
  homing token new --key issuer.key --subject words --for 0a1b2c3d4e5f60718293a4b5c6d7e8f9")]
pub(crate) struct TokenNewArgs {
    /// The key of the issuer, made by `homing token key`
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Whom it is about
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: String,
    /// Something that it says, and that rules can ask for; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::call::pair)]
    pub(crate) claim: Vec<(String, String)>,
    /// The one node that can use it; `homing nodes --json` shows the ids
    #[arg(long = "for", value_name = "NODE-ID")]
    pub(crate) node: Option<NodeId>,
    /// How long it counts, 24h at most
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = span::parse_positive)]
    pub(crate) lifetime: Duration,
}

/// Print what a token says, and whether it counts.
///
/// Without --issuer nobody has checked who made it: what it says is only what it says. With one, a token that does not
/// count is UNAUTHENTICATED (exit code 26).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing token show - --issuer hmt1_… < till.token
  homing token show \"$HOMING_TOKEN\"")]
pub(crate) struct TokenShowArgs {
    /// The token; `-` reads it from stdin, where nobody sees it in a list of processes
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
    /// The public key of an issuer that is believed; may be given several times
    #[arg(long, value_name = "PUBKEY")]
    pub(crate) issuer: Vec<Issuer>,
}
