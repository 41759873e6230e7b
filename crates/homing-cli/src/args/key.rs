//! What can be typed after `homing key`?

use clap::Subcommand;
use std::path::PathBuf;

/// Make the key that opens the network to a mesh, tell keys apart, exchange one for another.
///
/// Whoever has the key is of the mesh; nobody else reads or forges what its nodes say. Give it to a node by a file
/// (`--key-file`, `HOMING_KEY_FILE`) that only its owner can read, or by `HOMING_KEY`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing key new mesh.key                                 copy it to the other hosts, then, on each:
  homing serve echo@1.0.0 --echo --key-file mesh.key
  homing call echo hello --key-file mesh.key

  homing key id mesh.key                                  which key is this?
  homing key rotate mesh.key --check                      may the next step be made?")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    pub(crate) what: KeyWhat,
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyWhat {
    New(KeyNewArgs),
    Id(KeyIdArgs),
    Right(KeyRightArgs),
    Rotate(KeyRotateArgs),
}

/// Make a key: on stdout, or in a new file that only you can read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing key new mesh.key
  HOMING_KEY=$(homing key new) sh -c 'homing serve echo --echo & homing call echo hello'
  (umask 077; homing key new > mesh.key)    a file that others can read would be refused")]
pub(crate) struct KeyNewArgs {
    /// Where to write it [default: stdout]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Write it in the place of a file that is there
    #[arg(long, requires = "file")]
    pub(crate) force: bool,
}

/// Print the ids of keys, never the keys: a line each, the one to send with first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing key id mesh.key
  HOMING_KEY_FILE=mesh.key homing key id    those that a node started here would hold")]
pub(crate) struct KeyIdArgs {
    /// A key file [default: what --key-file, `HOMING_KEY` or `HOMING_KEY_FILE` say]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Print the public key of an identity: what `homing register --persistent --right` names as who may free a record.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing key right node.id
  homing register db --address 10.0.0.5 --persistent --right $(homing key right node.id)")]
pub(crate) struct KeyRightArgs {
    /// The file of the identity; made if there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Exchange the key of a running mesh for a new one: three steps, and no call fails.
///
/// Each run makes the next step in FILE, if the mesh is ready for it. Run it on one host, then copy FILE to the others
/// (beside the one there, then rename it, so that nobody reads half of it), and run it again: nodes read their file
/// again within 5 seconds of its change.
///
/// Step 1 adds a new key: every node will understand it, and still sends with the old one.
///
/// Step 2 sends with the new key; every node must hold it.
///
/// Step 3 forgets the old key; every node must send with the new one.
///
/// Before steps 2 and 3 the mesh is asked, for up to 8 seconds, and those that are not ready are named; where no node
/// tells all of the mesh within 5 seconds, no step is made. Nodes that have
/// their key from `HOMING_KEY` cannot read it again: restart them with both before step 2 (`HOMING_KEY=OLD,NEW`), and
/// with the new one alone before step 3. Visitors that stay, such as `homing watch`, read their file too, but are in no
/// list and cannot be asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  homing key rotate mesh.key            step 1; then copy mesh.key to every host
  homing key rotate mesh.key --check    is the mesh ready for the next step? exit code 19: not yet
  homing key rotate mesh.key            step 2; copy it again
  homing key rotate mesh.key            step 3; copy it again")]
pub(crate) struct KeyRotateArgs {
    /// The key file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only say whether the next step may be made, and what it is
    #[arg(long)]
    pub(crate) check: bool,
    /// Make the step without asking the mesh; nodes that are not ready lose it
    #[arg(long, conflicts_with = "check")]
    pub(crate) force: bool,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
