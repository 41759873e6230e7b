//! What can be typed after `homing call`?

use clap::ValueEnum;
use std::ffi::OsString;
use std::time::Duration;

use crate::span;
use homing::{Address, Balancer, Label, Weight};

/// Call a service and print its reply.
///
/// The payload is the argument, or else stdin where that is not a terminal. When nobody offers the service the call
/// waits for somebody until its time is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing call words/count < README.md
  homing call words@1/count 'four words of input'    a range chooses among versions
  homing call 'price@>=1.2 <3/quote' '{\"item\": 7}' --encoding json --timeout 500ms
  homing call orders -n --weight ^1=9 --weight ^2=1  one call in ten goes to the new version
  homing call clock -n --who                         no payload; tell who answered
  homing call clock -n --all                         ask every instance; a line each, as they come")]
pub(crate) struct CallArgs {
    /// Whom to call: SERVICE[@RANGE][/METHOD]; ranges as npm writes them
    #[arg(value_name = "SERVICE[@RANGE][/METHOD]")]
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// How long it may take, from the end of reading stdin
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span::parse)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    #[command(flatten)]
    pub(crate) along: AlongArgs,
    /// Tell on stderr which instance answered
    #[arg(long)]
    pub(crate) who: bool,
    /// Ask every instance, and print what each says, or why it did not, as they come. Fails as the first that failed
    #[arg(long, conflicts_with_all = ["who", "instance", "key", "balancer", "hedge"])]
    pub(crate) all: bool,
    /// With --all: a JSON object a line, with the reply as JSON, as text, or else as numbers of bytes
    #[arg(long, requires = "all")]
    pub(crate) json: bool,
}

/// What goes along with a request.
#[derive(Debug, clap::Args)]
pub(crate) struct AlongArgs {
    /// The caller's word that a repetition does no harm: ask again, elsewhere, when an instance dies before it answers
    #[arg(long)]
    pub(crate) repeatable: bool,
    /// Something to send along; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
}

/// What is sent.
#[derive(Debug, clap::Args)]
pub(crate) struct InputArgs {
    /// What to send [default: stdin, where it is not a terminal]
    #[arg(value_name = "PAYLOAD")]
    pub(crate) payload: Option<OsString>,
    /// Send nothing, and leave stdin alone
    #[arg(short = 'n', long, conflicts_with = "payload")]
    pub(crate) nothing: bool,
    /// What the payload is [default: text if it is UTF-8, else raw]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) encoding: Option<TypedEncoding>,
}

/// Who is to answer.
#[derive(Debug, clap::Args)]
pub(crate) struct ChoiceArgs {
    /// Fail at once when nobody offers it
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How to choose among instances: p2c (the quicker and less busy of two), round-robin, random, least-pending, slots
    /// (the lowest number that an instance gives), or hash with --key [default: p2c]
    #[arg(long, value_name = "KIND")]
    pub(crate) balancer: Option<Balancer>,
    /// With --balancer slots: how many numbers are held, so how many instances are linked to at most [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) max_slots: Option<u16>,
    /// Go where all calls with this key go
    #[arg(long, value_name = "KEY", required_if_eq("balancer", "hash"))]
    pub(crate) key: Option<String>,
    /// Only this instance: the id of its node, the first digits of it, or its name
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) instance: Option<String>,
    /// Only instances with this label; given several times, with all of them
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) subset: Vec<Label>,
    /// Spread calls over versions: this range gets N parts; given once for each range
    #[arg(long, value_name = "RANGE=N")]
    pub(crate) weight: Vec<Weight>,
    /// With --repeatable: ask a second instance too when there is no answer after this time; the first answer counts
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) hedge: Option<Duration>,
    /// Prefer the same host, then the same network, then the rest
    #[arg(long)]
    pub(crate) near: bool,
    /// Where this is: instances labelled `zone=ZONE` count as of the same network
    #[arg(long, value_name = "ZONE", requires = "near")]
    pub(crate) zone: Option<String>,
}

/// The encodings that a person can type.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum TypedEncoding {
    /// JSON; checked before it is sent
    Json,
    /// UTF-8 text; checked before it is sent
    Text,
    /// Bytes
    Raw,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it is written KEY=VALUE".to_owned()),
    }
}
