//! How is a mesh with a key started on hosts, with nothing else said?

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use super::hosts::Host;
use super::process::{Process, Ran};

/// A key in a file on each of these hosts, the same for all.
pub(crate) fn give_key(hosts: &[Host<'_>]) {
    let made = hosts[0].run_bare("key new");
    assert_eq!(made.code, Some(0), "{made:?}");
    for host in hosts {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(host.path("mesh.key")).unwrap();
        file.write_all(made.stdout.as_bytes()).unwrap();
    }
}

/// `homing …` there with its key file, and not a word of where to listen.
pub(crate) fn keyed(host: Host<'_>, arguments: &str) -> Command {
    host.homing(&format!("{arguments} --key-file {}", host.path("mesh.key").display()))
}

/// The same, to the end.
pub(crate) fn run(host: Host<'_>, arguments: &str) -> Ran {
    keyed(host, arguments).output().unwrap().into()
}

/// `homing serve …` there, once it serves.
pub(crate) fn serve(host: Host<'_>, arguments: &str) -> Process {
    let process = Process::start(keyed(host, &format!("serve {arguments}")));
    let line = process.note();
    assert!(line.starts_with("serving "), "{line}");
    process
}

/// `homing watch …` there.
pub(crate) fn watch(host: Host<'_>, arguments: &str) -> Process {
    Process::start(keyed(host, format!("watch {arguments}").trim_end()))
}
