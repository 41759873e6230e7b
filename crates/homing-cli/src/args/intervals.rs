//! What can be typed about the intervals of a node? What is not typed stays as `Timings` of the crate `homing` has it.

use std::time::Duration;

use crate::span;

/// How long things may take. The reasons for the defaults are in the documentation of the crate `homing`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Intervals")]
pub(crate) struct IntervalArgs {
    /// How long a connection may take to prove itself, before it is closed [default: 5s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) handshake_time: Option<Duration>,
    /// Silence on a link until its peer is asked for a sign of life [default: 2.5s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) before_ping: Option<Duration>,
    /// Silence after that until the link is given up [default: 4.5s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) before_close: Option<Duration>,
    /// How long dialling a node may take, over all its addresses [default: 3s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) dial_time: Option<Duration>,
    /// The first pause before a failed link is dialled again; each later one is longer [default: 100ms]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) redial_min: Option<Duration>,
    /// The longest such pause [default: 5s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) redial_max: Option<Duration>,
    /// How long a link that nobody uses stays [default: 1m]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) idle_time: Option<Duration>,
    /// Between two looks at what was registered: checks, and the signal that others know it [default: 5s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) heartbeat_interval: Option<Duration>,
    /// How long what was registered stays when its node is gone without a word [default: 15s]
    #[arg(long, global = true, hide_short_help = true, value_name = "TIME", value_parser = span::parse_positive)]
    pub(crate) registration_lifetime: Option<Duration>,
}
