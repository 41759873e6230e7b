//! Where do the tests live? On hosts of their own: namespaces around a switch, with no way out.
//!
//! ```text
//! host 1: eth0 10.64.0.1/24 ─┐
//! host 2: eth0 10.64.0.2/24 ─┼─ switch (a namespace with a bridge)
//! host 3: eth0 10.64.0.3/24 ─┘
//! ```

use std::env;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tempfile::TempDir;

use super::process::{Process, Ran};

/// Hosts that nobody else is on. Dropped, also by a panic, they are gone without a trace.
pub(crate) struct Network {
    prefix: String,
    hosts: usize,
    dir: TempDir,
    _turn: Turn,
}

/// Who uses this machine. What is measured is measured alone.
#[expect(dead_code, reason = "held, not read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

static TURNS: RwLock<()> = RwLock::new(());

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct Host<'a> {
    network: &'a Network,
    number: usize,
}

impl Network {
    /// So many hosts on one network, each with one address. `None` where that cannot be made; the reason is printed.
    pub(crate) fn of(hosts: usize) -> Option<Self> {
        Some(Self::bare(hosts)?.addressed())
    }

    /// The same while no other test has a network.
    pub(crate) fn alone(hosts: usize) -> Option<Self> {
        let turn = || Turn::Alone(TURNS.write().unwrap_or_else(PoisonError::into_inner));
        Some(Self::make(hosts, turn)?.addressed())
    }

    fn addressed(self) -> Self {
        for host in self.hosts() {
            host.ip(&format!("addr add {}/24 brd + dev eth0", host.address()));
        }
        self
    }

    /// So many, without addresses.
    pub(crate) fn bare(hosts: usize) -> Option<Self> {
        let turn = || Turn::Shared(TURNS.read().unwrap_or_else(PoisonError::into_inner));
        Self::make(hosts, turn)
    }

    fn make(hosts: usize, turn: impl FnOnce() -> Turn) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if let Some(why) = missing() {
            skipped(&format!("it needs network namespaces: {why}"));
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("hm{}n{number}", std::process::id());
        let dir = tempfile::Builder::new().prefix("hm").tempdir().unwrap();
        let network = Self { prefix, hosts, dir, _turn: turn() };
        network.build();
        Some(network)
    }

    /// The hosts, from 1 on.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = Host<'_>> {
        (1..=self.hosts).map(|number| Host { network: self, number })
    }

    /// All hosts at once, where their number is known.
    pub(crate) fn each<const N: usize>(&self) -> [Host<'_>; N] {
        assert_eq!(N, self.hosts);
        std::array::from_fn(|index| Host { network: self, number: index + 1 })
    }

    /// One more network, which nobody is on yet.
    pub(crate) fn add_switch(&self, name: &str) {
        self.switch(&format!("link add {name} type bridge"));
        self.switch(&format!("link set {name} up"));
    }

    fn build(&self) {
        ip(&format!("netns add {}", self.space(0)));
        self.add_switch("switch");
        for host in self.hosts() {
            ip(&format!("netns add {}", host.space()));
            host.ip("link set lo up");
            host.join("switch", "eth0");
            DirBuilder::new().mode(0o700).create(host.dir()).unwrap();
        }
    }

    /// `ip …` about the switches.
    fn switch(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.space(0)));
    }

    fn space(&self, number: usize) -> String {
        format!("{}h{number}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for number in 0..=self.hosts {
            // What is in it goes with it; where building it failed it is not there.
            let _ = Command::new("ip")
                .args(["netns", "del", &self.space(number)])
                .stderr(Stdio::null())
                .status();
            let _ = fs::remove_dir_all(PathBuf::from("/etc/netns").join(self.space(number)));
        }
        // The last one to go takes it away.
        let _ = fs::remove_dir("/etc/netns");
    }
}

impl Host<'_> {
    /// Its address, where it has the usual one.
    pub(crate) fn address(&self) -> String {
        format!("10.64.0.{}", self.number)
    }

    /// The file by which a thread can move there.
    pub(crate) fn file(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(self.space())
    }

    /// `ip …` about this host.
    pub(crate) fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.space()));
    }

    /// Is on the network of a switch, too, by an interface of this name.
    pub(crate) fn join(&self, switch: &str, interface: &str) {
        let (space, port) = (self.space(), self.port(interface));
        self.network
            .switch(&format!("link add {port} type veth peer name {interface} netns {space}"));
        self.network.switch(&format!("link set {port} master {switch} up"));
        self.ip(&format!("link set {interface} up"));
    }

    /// What its switch is to let through to it: `mcast_flood off`, …
    pub(crate) fn switch_port(&self, arguments: &str) {
        let port = self.port("eth0");
        self.network.switch(&format!("link set {port} type bridge_slave {arguments}"));
    }

    /// A setting of its kernel's network, below `/proc/sys/net`.
    pub(crate) fn set(&self, name: &str, value: u8) {
        let script = format!("echo {value} > /proc/sys/net/{name}");
        let ran = self.command("sh").args(["-c", &script]).output().unwrap();
        assert!(ran.status.success(), "{name}: {ran:?}");
    }

    /// A file that every program there sees in `/etc`; it may be written anew, not replaced.
    pub(crate) fn etc(&self, name: &str, text: &str) -> PathBuf {
        let dir = PathBuf::from("/etc/netns").join(self.space());
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    }

    fn port(&self, interface: &str) -> String {
        format!("{interface}-{}", self.number)
    }

    /// Another program there.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(), program]);
        command.stdin(Stdio::null());
        command
    }

    /// `homing …` there, in a rendezvous directory that no other host has.
    pub(crate) fn homing(&self, arguments: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_homing"));
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("HOMING_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_RUNTIME_DIR", self.dir()).env("TMPDIR", self.dir());
        command.args(arguments.split(' '));
        command
    }

    /// `homing … --insecure --listen` at its address, any port, to the end.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_bare(&format!("{arguments} --insecure --listen {}:0", self.address()))
    }

    /// `homing …`, to the end.
    pub(crate) fn run_bare(&self, arguments: &str) -> Ran {
        self.homing(arguments).output().unwrap().into()
    }

    /// `homing serve … --insecure --listen` at its address, any port, once it serves.
    pub(crate) fn serve(&self, arguments: &str) -> Process {
        self.serve_at(&format!("{}:0", self.address()), arguments)
    }

    /// The same elsewhere.
    pub(crate) fn serve_at(&self, listen: &str, arguments: &str) -> Process {
        let serve = format!("serve {arguments} --insecure --listen {listen}");
        let process = Process::start(self.homing(&serve));
        let line = process.note();
        assert!(line.starts_with("serving "), "{line}");
        process
    }

    /// A file that goes with the host.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn dir(&self) -> PathBuf {
        self.network.dir.path().join(self.number.to_string())
    }

    fn space(&self) -> String {
        self.network.space(self.number)
    }
}

/// Says why a test did nothing; not by `eprintln`, which is kept from view while tests succeed.
pub(crate) fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(io::stderr(), "{name} is skipped: {why}");
}

/// Why there can be no namespaces, by making one.
fn missing() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    let try_it = || {
        let space = format!("hm{}try", std::process::id());
        let namespace = |what| Command::new("ip").args(["netns", what, &space]).output();
        match (namespace("add"), namespace("del")) {
            (Ok(made), _) if made.status.success() => None,
            (Ok(made), _) => Some(String::from_utf8_lossy(&made.stderr).trim().to_owned()),
            (Err(error), _) => Some(format!("`ip` cannot be run ({error}): install iproute2")),
        }
    };
    WHY.get_or_init(try_it).as_deref()
}

#[track_caller]
fn ip(arguments: &str) {
    let ran = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(ran.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&ran.stderr));
}
