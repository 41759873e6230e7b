//! What does the kernel say that a process took?

use anyhow::Context as _;
use std::fs;
use std::time::Duration;

/// Memory that is there, in bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Memory {
    /// With what is mapped of files, such as the program.
    pub(crate) resident: u64,
    /// Of its own.
    pub(crate) anonymous: u64,
}

pub(crate) fn memory(process: u32) -> anyhow::Result<Memory> {
    let text = read(process, "status")?;
    Ok(Memory { resident: kib(&text, "VmRSS:")?, anonymous: kib(&text, "RssAnon:")? })
}

/// The time of processors that all its threads took, those that ended too.
pub(crate) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let text = read(process, "stat")?;
    let ticks = ticks(&text).with_context(|| format!("process {process} tells no time"))?;
    Ok(Duration::from_secs(1) * u32::try_from(ticks).unwrap_or(u32::MAX)
        / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100))
}

/// How often its threads went to sleep and woke, so far.
pub(crate) fn wakes(process: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).context("it is gone")? {
        let text = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        sum += number(&text, "voluntary_ctxt_switches:").unwrap_or_default();
    }
    Ok(sum)
}

fn read(process: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{process}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

fn kib(text: &str, name: &str) -> anyhow::Result<u64> {
    Ok(number(text, name).with_context(|| format!("no {name}"))? * 1024)
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time: fields 14 and 15, counted from behind the name, which may have spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[test]
    fn a_process_has_memory_and_time() {
        let memory = memory(process::id()).unwrap();
        assert!(memory.resident > memory.anonymous && memory.anonymous > 0);
        assert!(cpu(process::id()).unwrap() < Duration::from_hours(1));
        assert!(wakes(process::id()).is_ok());
    }

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some(42));
    }
}
