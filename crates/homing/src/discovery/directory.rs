//! Where do programs of one user on one host meet? In a directory that only this user can enter (decisions B3).
//!
//! It is opened once, without following links, and checked by what was opened; everything else goes by that descriptor,
//! so nobody can exchange it under us.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use homing_core::limits::RENDEZVOUS_MAX;
use homing_core::name::MeshName;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// How the name of a file that is not finished begins.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Names read from a directory: an entry and a socket for each node, and a few more.
const NAMES_MAX: usize = 2 * RENDEZVOUS_MAX + 16;

/// The rendezvous directory of one mesh, open.
#[derive(Debug)]
pub(crate) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// Why a rendezvous directory is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DirectoryError {
    /// Somebody else made it.
    #[error("the rendezvous directory {} belongs to user {owner}, not to {me}", path.display())]
    Foreign {
        /// The directory, or one above it.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        me: u32,
    },
    /// Others could read the key in it or put entries there.
    #[error("the rendezvous directory {} is open to others (mode {mode:03o}): chmod 700 it", path.display())]
    Open {
        /// The directory, or one above it.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A symbolic link, a file, or something else.
    #[error("the rendezvous directory {} is a link or no directory: remove it", path.display())]
    NotADirectory {
        /// What is there.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the rendezvous directory {} cannot be opened: {source}", path.display())]
    Io {
        /// The directory, or one above it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Directory {
    /// Opens the directory of a mesh, and makes it where there is none: `base`/MESH, or without a base
    /// `$XDG_RUNTIME_DIR/homing`/MESH, or where that is unset or not ours `$TMPDIR/homing-UID`/MESH.
    ///
    /// # Errors
    /// It, or what we made above it, is not ours alone, or the system refuses.
    pub(crate) fn open(base: Option<&Path>, mesh: &MeshName) -> Result<Self, DirectoryError> {
        let (root, base) = match base {
            Some(base) => split(base)?,
            None => usual_place(std::env::var_os("XDG_RUNTIME_DIR")),
        };
        let failed = |source: io::Error| DirectoryError::Io { path: root.clone(), source };
        let mut path = std::path::absolute(&root).map_err(failed)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut descriptor =
            rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        for (name, barred) in [(base, Mode::WGRP | Mode::WOTH), (mesh.as_str().into(), OTHERS)] {
            path.push(name);
            descriptor = enter(&descriptor, &path, barred)?;
        }
        Ok(Self { descriptor, path })
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// When something was last added, renamed or removed here; only good for comparing.
    pub(crate) fn changed(&self) -> io::Result<(i64, i64)> {
        let stat = rustix::fs::fstat(&self.descriptor)?;
        Ok((stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()))
    }

    /// The names of the files here, in order; at most two for each of `RENDEZVOUS_MAX` entries.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.descriptor)?.take(NAMES_MAX + 2) {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a file to read it; not through a link, and without waiting for a pipe.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())?.into())
    }

    /// Makes a new file under a name that nobody else uses, readable by its owner only.
    pub(crate) fn create_temporary(&self) -> io::Result<(File, String)> {
        let mut chance = [0; 8];
        SystemRandom::new().fill(&mut chance).map_err(|_| io::Error::other("no random bytes"))?;
        let name = format!("{TEMPORARY}{:016x}", u64::from_be_bytes(chance));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(&self.descriptor, &name, flags, Mode::RUSR | Mode::WUSR)?.into();
        Ok((file, name))
    }

    /// Gives a file a second name; fails where that is taken.
    pub(crate) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let here = &self.descriptor;
        Ok(rustix::fs::linkat(here, from, here, to, AtFlags::empty())?)
    }

    /// Gives a file another name, in the place of whatever had it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.descriptor, from, &self.descriptor, to)?)
    }

    /// Takes a file away; gone already is as good.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `file` is still what that name stands for.
    pub(crate) fn is_named(&self, file: &File, name: &str) -> io::Result<bool> {
        let open = rustix::fs::fstat(file)?;
        match rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((open.st_dev, open.st_ino) == (named.st_dev, named.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is wrong with a file that only we are to read and write, if anything.
pub(crate) fn file_flaw(file: &File) -> io::Result<Option<String>> {
    let stat = rustix::fs::fstat(file)?;
    let (mode, me) = (permissions(&stat), rustix::process::geteuid().as_raw());
    Ok(if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        Some("is no plain file".to_owned())
    } else if stat.st_uid != me {
        Some(format!("belongs to user {}, not to {me}", stat.st_uid))
    } else if mode.intersects(OTHERS) {
        Some(format!("may be used by others (mode {:03o})", mode.as_raw_mode()))
    } else {
        None
    })
}

/// Everything that group and others could be allowed.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

/// Goes one directory down, making it first; refuses one that is not ours or that allows others what is `barred`.
fn enter(above: &OwnedFd, path: &Path, barred: Mode) -> Result<OwnedFd, DirectoryError> {
    let failed = |error: Errno| DirectoryError::Io { path: path.to_owned(), source: error.into() };
    let name = path.file_name().expect("a name was pushed");
    match rustix::fs::mkdirat(above.as_fd(), name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(failed(error)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(above.as_fd(), name, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(DirectoryError::NotADirectory { path: path.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    let stat = rustix::fs::fstat(&opened).map_err(failed)?;
    check(&stat, path, barred)?;
    Ok(opened)
}

fn check(stat: &Stat, path: &Path, barred: Mode) -> Result<(), DirectoryError> {
    let (path, me) = (path.to_owned(), rustix::process::geteuid().as_raw());
    if stat.st_uid != me {
        return Err(DirectoryError::Foreign { path, owner: stat.st_uid, me });
    }
    if permissions(stat).intersects(barred) {
        return Err(DirectoryError::Open { path, mode: permissions(stat).as_raw_mode() });
    }
    Ok(())
}

fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | OTHERS)
}

/// The directory above a base, which may be anybody's, and the name of the base in it.
fn split(base: &Path) -> Result<(PathBuf, OsString), DirectoryError> {
    let Some(name) = base.file_name() else {
        return Err(DirectoryError::NotADirectory { path: base.to_owned() });
    };
    let root = base.parent().filter(|root| !root.as_os_str().is_empty());
    Ok((root.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

/// Where the directory is when nobody said. The runtime directory of another user, which `sudo` may leave us with, is
/// not taken: what we made there would shut its owner out.
fn usual_place(runtime_dir: Option<OsString>) -> (PathBuf, OsString) {
    let me = rustix::process::geteuid().as_raw();
    let is_ours = |dir: &PathBuf| {
        dir.is_absolute() && dir.metadata().is_ok_and(|found| found.is_dir() && found.uid() == me)
    };
    match runtime_dir.map(PathBuf::from).filter(is_ours) {
        Some(dir) => (dir, "homing".into()),
        None => (std::env::temp_dir(), format!("homing-{me}").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn open(base: &Path) -> Result<Directory, String> {
        Directory::open(Some(base), &"m".parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_directory_is_made_for_its_owner_only_and_opens_again() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        let opened = open(&base).unwrap();
        assert_eq!(opened.path(), base.join("m"));
        let mode = fs::metadata(opened.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(open(&base).is_ok());
    }

    /// Prepares something in the way, and says what the refusal has to contain.
    #[track_caller]
    fn check_refused(prepare: impl FnOnce(&Path), expect: &str) {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        prepare(&base);
        let refused = open(&base).unwrap_err();
        assert!(refused.contains(expect) && refused.contains("base"), "{refused}");
    }

    #[test]
    fn a_directory_that_others_may_enter_is_refused() {
        for mode in [0o701, 0o710, 0o750, 0o755, 0o777] {
            let open_up = |base: &Path| {
                open(base).unwrap();
                fs::set_permissions(base.join("m"), Permissions::from_mode(mode)).unwrap();
            };
            check_refused(open_up, &format!("(mode {mode:o}): chmod 700"));
        }
    }

    #[test]
    fn a_base_that_others_may_write_is_refused_and_one_they_may_read_is_not() {
        let make = |base: &Path, mode| {
            fs::create_dir(base).unwrap();
            fs::set_permissions(base, Permissions::from_mode(mode)).unwrap();
        };
        check_refused(|base| make(base, 0o770), "(mode 770)");
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("base"), 0o755);
        assert!(open(&dir.path().join("base")).is_ok());
    }

    #[test]
    fn links_and_files_are_refused() {
        check_refused(|base| symlink("/", base).unwrap(), "a link or no directory");
        check_refused(|base| fs::write(base, "").unwrap(), "a link or no directory");
        let link_below = |base: &Path| {
            fs::create_dir_all(base.join("elsewhere")).unwrap();
            symlink("elsewhere", base.join("m")).unwrap();
        };
        check_refused(link_below, "a link or no directory");
    }

    #[test]
    fn what_belongs_to_another_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut stat = rustix::fs::stat(dir.path()).unwrap();
        stat.st_uid += 1;
        let refused = check(&stat, dir.path(), OTHERS).unwrap_err();
        assert!(matches!(refused, DirectoryError::Foreign { .. }), "{refused}");
    }

    #[test]
    fn the_usual_place_is_the_runtime_directory_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        assert_eq!(usual_place(Some(path.clone().into())), (path.clone(), "homing".into()));
        let me = rustix::process::geteuid().as_raw();
        let else_place = (std::env::temp_dir(), OsString::from(format!("homing-{me}")));
        for absent in [None, Some("relative".into()), Some(path.join("absent").into())] {
            assert_eq!(usual_place(absent), else_place);
        }
    }
}
