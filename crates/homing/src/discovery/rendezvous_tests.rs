//! Does the rendezvous directory tell the living from the dead, and ours from theirs?

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::discovery::Suggestion;
use crate::security::{Key, MeshKey, RingCrypto};

fn id(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 16])
}

fn entry(byte: u8) -> Entry {
    let tcp = TransportAddr::Tcp("127.0.0.1:7000".parse().unwrap());
    let unix = TransportAddr::Unix { host: 5, path: "/run/s".into() };
    Entry {
        node: id(byte),
        epoch: Epoch(3),
        host: HostMark::here(),
        addresses: vec![unix, tcp],
        keys: vec![KeyId(7)],
    }
}

/// A directory, and the temporary one it is in.
fn meeting_place() -> (tempfile::TempDir, Arc<Directory>) {
    let dir = tempfile::tempdir().unwrap();
    let opened = Directory::open(Some(&dir.path().join("base")), &"m".parse().unwrap()).unwrap();
    (dir, Arc::new(opened))
}

fn reader(directory: &Arc<Directory>, part: Part) -> Rendezvous {
    Rendezvous::new(Arc::clone(directory), id(1), HostMark::here(), part)
}

fn path(directory: &Directory, byte: u8) -> PathBuf {
    directory.path().join(id(byte).to_string())
}

/// What a dead node leaves: a file that nobody has locked.
fn leave(directory: &Directory, entry: &Entry) {
    fs::write(path(directory, entry.node.as_bytes()[0]), entry.encode()).unwrap();
    let private = Permissions::from_mode(0o600);
    fs::set_permissions(path(directory, entry.node.as_bytes()[0]), private).unwrap();
}

#[test]
fn a_living_node_is_read_by_others_until_it_goes() {
    let (_dir, directory) = meeting_place();
    let registration = Registration::publish(Arc::clone(&directory), entry(2)).unwrap();
    assert_eq!(reader(&directory, Part::Member).read().0, [entry(2)]);
    drop(registration);
    assert_eq!(reader(&directory, Part::Member).read().0, []);
    assert_eq!(directory.names().unwrap(), [""; 0], "nothing is left behind");
}

#[test]
fn who_holds_no_key_in_common_is_passed_over_until_it_does() {
    let (_dir, directory) = meeting_place();
    let key = Key::generate();
    let crypto = RingCrypto::new(&[1; 32], &MeshKey::Keyed(vec![*key.secret()])).unwrap();
    let reader = reader(&directory, Part::Member).with_keys_of(Arc::new(crypto));
    let mut registration = Registration::publish(Arc::clone(&directory), entry(2)).unwrap();
    let (entries, verdicts) = reader.read();
    assert_eq!(entries, []);
    let why = format!("{:?}", verdicts.values());
    assert!(why.contains("holds no key in common with this node"), "{why}");
    let moved = vec![TransportAddr::Tcp(([10, 0, 0, 9], 7).into())];
    registration.renew(Epoch(4), vec![KeyId(7), key.id()], moved.clone()).unwrap();
    let (entries, _) = reader.read();
    let read: Vec<_> = entries.into_iter().map(|entry| (entry.epoch, entry.addresses)).collect();
    assert_eq!(read, [(Epoch(4), moved)]);
    drop(registration);
    assert_eq!(directory.names().unwrap(), [""; 0], "renewed, it is still one's own to take away");
}

#[test]
fn a_node_does_not_find_itself() {
    let (_dir, directory) = meeting_place();
    let _registration = Registration::publish(Arc::clone(&directory), entry(1)).unwrap();
    assert_eq!(reader(&directory, Part::Member).read().0, []);
}

#[test]
fn one_identity_cannot_run_twice() {
    let (_dir, directory) = meeting_place();
    let first = Registration::publish(Arc::clone(&directory), entry(2)).unwrap();
    let second = Registration::publish(Arc::clone(&directory), entry(2)).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
    drop(first);
    assert!(Registration::publish(directory, entry(2)).is_ok());
}

#[test]
fn what_the_dead_left_is_removed_by_members_and_not_by_visitors() {
    let (_dir, directory) = meeting_place();
    leave(&directory, &entry(2));
    fs::write(directory.path().join(format!("{}{SOCKET}", id(2))), "").unwrap();
    assert_eq!(reader(&directory, Part::Visitor).read().0, []);
    assert_eq!(directory.names().unwrap().len(), 2);
    assert_eq!(reader(&directory, Part::Member).read().0, []);
    assert_eq!(directory.names().unwrap(), [""; 0]);
}

#[test]
fn a_dead_identity_can_be_taken_up_again() {
    let (_dir, directory) = meeting_place();
    leave(&directory, &entry(2));
    let _registration = Registration::publish(Arc::clone(&directory), entry(2)).unwrap();
    assert_eq!(reader(&directory, Part::Member).read().0, [entry(2)]);
}

/// Spoils the entry of a living node, and says what the verdict on it has to contain.
#[track_caller]
fn check_verdict(spoil: impl FnOnce(&mut Entry), on_disk: impl FnOnce(&Path), expect: &str) {
    let (_dir, directory) = meeting_place();
    let mut spoiled = entry(2);
    spoil(&mut spoiled);
    let _registration = Registration::publish(Arc::clone(&directory), spoiled).unwrap();
    on_disk(&path(&directory, 2));
    let (entries, verdicts) = reader(&directory, Part::Member).read();
    assert_eq!(entries, []);
    let verdict = verdicts.get(&path(&directory, 2).display().to_string());
    let Some(Outcome::Failed(why)) = verdict else { panic!("{verdicts:?}") };
    assert!(why.contains(expect), "{why}");
}

#[test]
fn entries_of_other_places_are_told_and_not_suggested() {
    check_verdict(|entry| entry.host.network += 1, |_| {}, "another network namespace");
    check_verdict(|entry| entry.host.boot_id = "other".to_owned(), |_| {}, "another host");
}

#[test]
fn entries_that_are_none_are_told_and_not_suggested() {
    let fine = |_: &mut Entry| {};
    check_verdict(fine, |path| fs::write(path, "").unwrap(), "");
    check_verdict(fine, |path| fs::write(path, [9; 100]).unwrap(), "version");
    check_verdict(fine, |path| fs::write(path, entry(3).encode()).unwrap(), "another node");
    let open_up = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    check_verdict(fine, open_up, "may be used by others (mode 644)");
}

#[test]
fn an_entry_reads_back_and_never_panics_when_cut() {
    let bytes = entry(2).encode();
    assert_eq!(Entry::decode(&bytes), Ok(entry(2)));
    (0..bytes.len()).for_each(|end| assert!(Entry::decode(&bytes[..end]).is_err()));
}

#[test]
fn a_socket_has_its_place_in_the_directory_unless_its_path_is_too_long() {
    let (_dir, directory) = meeting_place();
    let path = socket_path(&directory, id(2)).unwrap();
    assert_eq!(path.parent(), Some(directory.path()));
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("d".repeat(100));
    let directory = Directory::open(Some(&deep), &"m".parse().unwrap()).unwrap();
    assert_eq!(socket_path(&directory, id(2)), None);
}

#[tokio::test(start_paused = true)]
async fn who_comes_later_is_suggested_when_the_directory_changes() {
    let (_dir, directory) = meeting_place();
    let (findings, mut found) = mpsc::channel(64);
    let running = tokio::spawn(Box::new(reader(&directory, Part::Member)).run(findings));
    let Some(Finding::Verdict(alone)) = found.recv().await else { panic!("no verdict") };
    assert_eq!(alone.outcome, Outcome::Worked("no other node".to_owned()));
    let _registration = Registration::publish(Arc::clone(&directory), entry(2)).unwrap();
    let before = Instant::now();
    let suggestion =
        Suggestion { source: Source::Rendezvous, node: Some(id(2)), addresses: entry(2).addresses };
    assert_eq!(found.recv().await, Some(Finding::Suggestion(suggestion)));
    assert!(before.elapsed() <= Duration::from_millis(250));
    drop(found);
    running.await.unwrap();
}
