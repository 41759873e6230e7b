//! What does the mesh tell while it works? Nothing, unless `-v` or `HOMING_LOG` asks.

use anyhow::{Context as _, anyhow};
use std::env;
use std::io;
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// Says what is told where nothing was typed.
pub(crate) const VARIABLE: &str = "HOMING_LOG";

/// Sends `tracing` events to stderr: as `-v` says, or else as the filter in `HOMING_LOG` does. A filter that cannot be
/// read is a usage error.
pub(crate) fn start(verbose: u8) -> Result<(), Failure> {
    let directives = match (verbose, env::var(VARIABLE).ok().filter(|text| !text.is_empty())) {
        (0, None) => return Ok(()),
        (0, Some(text)) => text,
        (verbose, _) => level(verbose).to_owned(),
    };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|error| Failure::Usage(format!("{VARIABLE}={directives:?}: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .try_init()
        .map_err(|error| anyhow!(error))
        .context("cannot start the log")?;
    Ok(())
}

/// What so many `-v` ask for.
pub(crate) const fn level(verbose: u8) -> &'static str {
    match verbose {
        0 => "off",
        1 => "info",
        2 => "debug",
        _ => "trace",
    }
}
