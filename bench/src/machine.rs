//! What were the figures measured on, and with which versions of whom? They mean little elsewhere.

use std::collections::BTreeMap;
use std::env::consts;
use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;

use crate::stage::scripts;

/// The lock file of this comparison: it knows the versions of the crates.
const LOCK: &str = include_str!("../Cargo.lock");
/// Crates that are told of.
const CRATES: [&str; 8] =
    ["async-nats", "homing", "mimalloc", "tokio", "tonic", "zenoh", "zmq", "prost"];
/// Packages of npm that are told of.
const PACKAGES: [&str; 4] = ["cote", "masterless", "pigato", "zmq"];

/// A machine, and who was measured on it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    memory_mib: u64,
    /// By name.
    pub(crate) versions: BTreeMap<String, String>,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let mut versions = BTreeMap::new();
        for name in CRATES {
            versions.insert(name.to_owned(), locked(name).unwrap_or("unknown").to_owned());
        }
        for name in PACKAGES {
            versions.insert(format!("{name} (npm)"), installed(name));
        }
        for (name, program, argument) in
            [("nats-server", "nats-server", "--version"), ("node", "node", "--version")]
        {
            versions.insert(name.to_owned(), said(program, argument));
        }
        let (major, minor, patch) = zmq::version();
        versions.insert("libzmq".to_owned(), format!("{major}.{minor}.{patch}"));
        Self {
            processor: processor(),
            cores: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: format!(
                "{} {} {}",
                consts::OS,
                consts::ARCH,
                trimmed("/proc/sys/kernel/osrelease")
            ),
            memory_mib: memory_mib(),
            versions,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        let Self { processor, cores, kernel, memory_mib, .. } = self;
        write!(text, "{cores} × {processor}, {memory_mib} MiB of memory, {kernel}")
    }
}

fn trimmed(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn processor() -> String {
    let text = trimmed("/proc/cpuinfo");
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':')).map(|(_, model)| model.trim());
    model.unwrap_or("unknown processor").to_owned()
}

fn memory_mib() -> u64 {
    let text = trimmed("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// The version of a crate in the lock file.
fn locked(name: &str) -> Option<&'static str> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

/// The version of a package of npm that is there.
fn installed(name: &str) -> String {
    let path = scripts().join("node_modules").join(name).join("package.json");
    let version = || {
        let text = fs::read_to_string(path).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(value["version"].as_str()?.to_owned())
    };
    version().unwrap_or_else(|| "not installed".to_owned())
}

/// The last word of what a program says of its version.
fn said(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    let version = text.and_then(|text| Some(text.split_whitespace().last()?.to_owned()));
    version.unwrap_or_else(|| "not installed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_that_is_told_of_is_locked() {
        for name in CRATES {
            assert!(locked(name).is_some(), "{name}");
        }
        assert_eq!(said("no-such-program", "--version"), "not installed");
    }
}
