//! What can be typed to put services into the registry by hand, take them out, and wait for them?

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use crate::span;
use homing::Record;
use homing::registry::Right;
use hyper::Uri;
use serde_json::Value;

/// Register a service that knows nothing of homing, so that all find it: for as long as this command runs.
///
/// SIGINT, SIGTERM or the end of the child free it. With --persistent the command ends when others hold the record, which
/// stays until somebody frees it, whatever becomes of this host. It is in the memory of the nodes and on no disk: when the
/// last member of the mesh stops, it is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing register db@15.2.0 --address 10.0.0.5:5432 --data '{\"role\":\"primary\"}'
  homing register cache --port 6379 --check tcp        it is here; freed while nobody answers
  homing register web@2.0.0 --port 80 --check http://127.0.0.1/healthz
  homing register db@15.2.0 --port 5432 --exec 'postgres -D data'
  homing register printer --address 10.0.0.9 --persistent")]
pub(crate) struct RegisterArgs {
    /// What to register
    #[arg(value_name = "SERVICE[@VERSION]", value_parser = record)]
    pub(crate) record: Record,
    /// Where it is: an address or a host name [default: where this host listens]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) address: Option<String>,
    /// At which port it is
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<NonZeroU16>,
    /// What to say beside: up to 512 bytes
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) data: Option<Value>,
    /// Look at it every 5 s, and free it while it does not answer for its lifetime: `tcp` connects to its address, an
    /// http:// URL is to answer with 2xx or 3xx
    #[arg(long, value_name = "tcp|URL", conflicts_with = "persistent")]
    pub(crate) check: Option<Check>,
    /// How long it stays when this process is gone without a word [default: 15s]
    #[arg(long, value_name = "TIME", value_parser = span::parse_positive, conflicts_with = "persistent")]
    pub(crate) ttl: Option<Duration>,
    /// Keep the record when this command has ended: it does when others hold it, 3 or all that there are, and prints its
    /// id. In memory: it is gone when no member of the mesh is left
    #[arg(long)]
    pub(crate) persistent: bool,
    /// Who may free it then: a public key, as `homing key right` prints it [default: who has the --identity it was
    /// registered with; in a mesh without a key everybody]
    #[arg(long, value_name = "PUBKEY", requires = "persistent")]
    pub(crate) right: Option<Right>,
    /// Run this with `sh -c`, keep the record for as long as it lives, and end with its exit code
    #[arg(long, value_name = "COMMAND", conflicts_with = "persistent")]
    pub(crate) exec: Option<String>,
    /// Print the record as JSON on a line, each time that it is registered
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to find out whether a service is well.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    /// It takes connections at its address.
    Tcp,
    /// It answers a GET.
    Http(Uri),
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "tcp" {
            return Ok(Self::Tcp);
        }
        let url: Uri = text.parse().map_err(|error| format!("it is `tcp` or a URL: {error}"))?;
        match (url.scheme_str(), url.host()) {
            (Some("http"), Some(_)) => Ok(Self::Http(url)),
            (Some("https"), _) => Err("https is not looked at: use http://, or `tcp`".to_owned()),
            _ => Err("it is `tcp`, or a URL such as http://127.0.0.1:8080/healthz".to_owned()),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Http(url) => url.fmt(f),
        }
    }
}

/// Take a persistent record out of the registry. Others end with the process that registered them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing free 3f1c             the beginning of its id is enough (homing ls shows it)
  homing free --port 5432
  homing free 3f1c --identity node.id      in a mesh with a key: with the identity that has the right")]
pub(crate) struct FreeArgs {
    /// The id of the record, or its beginning
    #[arg(value_name = "ID", required_unless_present = "port")]
    pub(crate) id: Option<String>,
    /// The one at this port
    #[arg(long, value_name = "N", conflicts_with = "id")]
    pub(crate) port: Option<NonZeroU16>,
    /// Print the record as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Wait until services are there, offered or registered: for scripts that start something which needs them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing wait orders payments@^2 --timeout 30s && start-shop
  homing wait db || echo missing      exit code 14: time ran out, and stderr says what is missing")]
pub(crate) struct WaitArgs {
    /// What to wait for
    #[arg(value_name = "SERVICE[@RANGE]", required = true)]
    pub(crate) services: Vec<String>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span::parse)]
    pub(crate) timeout: Duration,
}

fn record(text: &str) -> Result<Record, String> {
    Record::new(text).map_err(|error| error.to_string())
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_tcp_or_a_url_without_encryption() {
        assert_eq!("tcp".parse(), Ok(Check::Tcp));
        let url = "http://[::1]:80/healthz?deep".parse::<Check>().unwrap();
        assert_eq!(url.to_string(), "http://[::1]:80/healthz?deep");
        for (text, part) in [
            ("https://a", "https is not"),
            ("udp", "`tcp`, or"),
            ("http://", "it is"),
            ("a b", "it is"),
        ] {
            let error = text.parse::<Check>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
