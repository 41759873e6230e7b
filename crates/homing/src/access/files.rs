//! Can a file be trusted to be its owner's alone?

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Bytes of a secret's file; no secret of ours is longer.
const SECRET_MAX: u64 = 4 * 1024;

/// Reads a secret that others must not be able to read.
///
/// # Errors
/// The file is not there, is none, is too long, or others can read it; the message names it and what would be right.
pub(super) fn read_secret(path: &Path) -> io::Result<String> {
    let read = || {
        let (file, about) = open(path)?;
        if about.mode() & 0o077 != 0 {
            let why = "it can be read by others (mode ";
            return Err(refused(format!(
                "{why}{:03o}): chmod 600 makes it yours alone",
                mode(&about)
            )));
        }
        read_bounded(file, SECRET_MAX)
    };
    read().map_err(|error| named(path, &error))
}

/// Writes a secret into a new file of mode 0600.
///
/// # Errors
/// The file is there already, or cannot be written; the message names it.
pub(super) fn create_secret(path: &Path, text: &str) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|error| named(path, &error))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path); // half a key is none
        named(path, &error)
    })
}

/// Reads settings that others must not be able to write.
///
/// # Errors
/// The file is not there, is none, is too long, or others can write it; the message does not name it.
pub(crate) fn read_settings(path: &Path, max: u64) -> io::Result<String> {
    let (file, about) = open(path)?;
    let mine = rustix::process::geteuid().as_raw();
    if about.uid() != mine && about.uid() != 0 {
        return Err(refused("it belongs to another user: it has to be yours, or root's".into()));
    }
    if about.mode() & 0o022 != 0 {
        let why = "it can be written by others (mode ";
        return Err(refused(format!("{why}{:03o}): chmod go-w makes it safe", mode(&about))));
    }
    read_bounded(file, max)
}

/// Never waits, as opening a pipe would.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if about.is_file() { Ok((file, about)) } else { Err(refused("it is no file".into())) }
}

fn read_bounded(file: File, max: u64) -> io::Result<String> {
    let mut text = String::new();
    file.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(refused(format!("it has more than {max} bytes")));
    }
    Ok(text)
}

fn mode(about: &Metadata) -> u32 {
    about.permissions().mode() & 0o777
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
