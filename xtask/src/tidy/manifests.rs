//! Does each crate depend on what was chosen for it, and on nothing else?
//!
//! The manifests are read by hand. They are ours and plainly written, and a TOML library would be half a dozen crates
//! in the one program that has to build first on a fresh machine. What is not understood is a violation, not a pass.

use super::tree::{TextFile, numbered};
use super::{Tree, Violation};

/// What one crate may name in its manifest. A new line is a decision: give it with the commit.
struct Allowed {
    manifest: &'static str,
    normal: &'static [&'static str],
    /// For its tests, beyond `normal`.
    tests: &'static [&'static str],
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        manifest: "crates/homing-core/Cargo.toml",
        normal: &["arbitrary", "bytes", "foca", "rand_core", "rand_pcg", "slab", "thiserror"],
        tests: &["criterion", "gungraun", "proptest"],
    },
    Allowed {
        manifest: "crates/homing/Cargo.toml",
        normal: &[
            "arc-swap",
            "bytes",
            "data-encoding",
            "futures-core",
            "futures-sink",
            "hickory-resolver",
            "homing-core",
            "if-addrs",
            "parking_lot",
            "pasetors",
            "redis",
            "ring",
            "rmp-serde",
            "rustix",
            "rustls",
            "serde",
            "serde_json",
            "slab",
            "socket2",
            "thiserror",
            "time",
            "tokio",
            "tokio-util",
            "toml",
            "tower-service",
            "tracing",
        ],
        tests: &["dhat", "proptest", "rcgen", "tempfile", "tower"],
    },
    Allowed {
        manifest: "crates/homing-cli/Cargo.toml",
        normal: &[
            "anyhow",
            "bytes",
            "clap",
            "comfy-table",
            "hdrhistogram",
            "homing",
            "http-body-util",
            "hyper",
            "hyper-util",
            "indicatif",
            "mimalloc",
            "rustix",
            "serde",
            "serde_json",
            "socket2",
            "tokio",
            "tracing",
            "tracing-subscriber",
        ],
        tests: &["tempfile"],
    },
    Allowed {
        manifest: "crates/homing-sim/Cargo.toml",
        normal: &["anyhow", "bytes", "clap", "foca", "homing-core"],
        tests: &["proptest"],
    },
    Allowed {
        manifest: "fuzz/Cargo.toml",
        normal: &["homing", "homing-core", "libfuzzer-sys"],
        tests: &[],
    },
    Allowed {
        manifest: "bench/Cargo.toml",
        normal: &[
            "anyhow",
            "async-nats",
            "bytes",
            "clap",
            "futures-util",
            "hdrhistogram",
            "homing",
            "mimalloc",
            "plotters",
            "prost",
            "rustix",
            "serde",
            "serde_json",
            "tempfile",
            "tokio",
            "tonic",
            "tonic-build",
            "tonic-prost",
            "zenoh",
            "zmq",
        ],
        tests: &[],
    },
    Allowed { manifest: "xtask/Cargo.toml", normal: &["anyhow"], tests: &[] },
];

/// The lint table stands once, in the root; a crate that does not inherit it has none. One outside of the workspace
/// cannot.
pub(super) fn lints_are_inherited(tree: &Tree) -> Vec<Violation> {
    let is_bare = |manifest: &&TextFile| !inherits(manifest) && !is_outside(manifest);
    let what = "the lints of the workspace do not hold here: add `[lints]` with `workspace = true`";
    manifests(tree)
        .filter(is_bare)
        .map(|manifest| Violation::new(&manifest.path, 1, what))
        .collect()
}

/// Unsafe code is forbidden, and no `allow` further in can change that: by the table in the root for who inherits it, in a
/// table of its own for who is outside.
pub(super) fn unsafe_is_forbidden(tree: &Tree) -> Vec<Violation> {
    let forbids = |manifest: &TextFile, section: &str| {
        let mut entries = entries(&manifest.text).into_iter();
        entries.any(|entry| {
            (entry.section, entry.key, entry.value) == (section, "unsafe_code", "\"forbid\"")
        })
    };
    let is_open = |manifest: &&TextFile| match manifest.path.as_str() {
        "Cargo.toml" => !forbids(manifest, "workspace.lints.rust"),
        _ => is_outside(manifest) && !forbids(manifest, "lints.rust"),
    };
    let what = "unsafe code is not forbidden: add `unsafe_code = \"forbid\"` to the lints of Rust";
    let root = tree.texts.iter().filter(|file| file.path == "Cargo.toml");
    root.chain(manifests(tree))
        .filter(is_open)
        .map(|manifest| Violation::new(&manifest.path, 1, what))
        .collect()
}

/// A dependency is chosen once, by people, not added in passing.
pub(super) fn dependencies_are_chosen(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for manifest in manifests(tree) {
        let Some(allowed) = ALLOWED.iter().find(|allowed| allowed.manifest == manifest.path) else {
            let what = "no list of allowed dependencies: add one to xtask/src/tidy/manifests.rs";
            violations.push(Violation::new(&manifest.path, 1, what));
            continue;
        };
        for entry in entries(&manifest.text) {
            if let Some(kind) = entry.kind().filter(|kind| !allowed.permits(*kind, entry.key)) {
                let what = format!(
                    "{} is not among the {kind} chosen in xtask/src/tidy/manifests.rs",
                    entry.key
                );
                violations.push(Violation::new(&manifest.path, entry.line, what));
            }
        }
    }
    violations
}

fn inherits(manifest: &TextFile) -> bool {
    let mut entries = entries(&manifest.text).into_iter();
    entries.any(|entry| (entry.section, entry.key, entry.value) == ("lints", "workspace", "true"))
}

/// Whether the crate is a workspace of its own.
fn is_outside(manifest: &TextFile) -> bool {
    manifest.text.lines().any(|line| line.trim() == "[workspace]")
}

fn manifests(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    tree.texts.iter().filter(|file| file.path.ends_with("/Cargo.toml"))
}

/// What a dependency is for.
#[derive(Clone, Copy)]
enum Kind {
    Normal,
    Tests,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Normal => "dependencies",
            Self::Tests => "dependencies for tests",
        })
    }
}

impl Allowed {
    fn permits(&self, kind: Kind, name: &str) -> bool {
        let normal = self.normal.contains(&name);
        match kind {
            Kind::Normal => normal,
            Kind::Tests => normal || self.tests.contains(&name),
        }
    }
}

/// One key of a manifest. A table of its own, `[dependencies.name]`, counts as the key `name`.
struct Entry<'text> {
    line: usize,
    section: &'text str,
    key: &'text str,
    /// Empty for a table of its own.
    value: &'text str,
}

impl Entry<'_> {
    /// `None` where the key is no dependency.
    fn kind(&self) -> Option<Kind> {
        match self.section.rsplit('.').next()? {
            "dependencies" | "build-dependencies" => Some(Kind::Normal),
            "dev-dependencies" => Some(Kind::Tests),
            _ => None,
        }
    }
}

fn entries(manifest: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for (line, text) in numbered(manifest) {
        let text = text.trim();
        if let Some(header) = text.strip_prefix('[') {
            section = header.trim_end_matches(']').trim_start_matches('[');
            if let Some((parent, key)) =
                section.rsplit_once('.').filter(|(parent, _)| parent.ends_with("dependencies"))
            {
                found.push(Entry { line, section: parent, key, value: "" });
            }
        } else if let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
            let key = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
            found.push(Entry { line, section, key, value: value.trim() });
        }
    }
    found
}
