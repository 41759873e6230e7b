//! Who comes to a channel with whom, and what is it bound to?

use super::super::authority::tests::at_year;
use super::super::random;
use super::super::refusal::refusal;
use super::*;
use homing_core::talk::{Code, Status};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::time::Duration;
use tempfile::TempDir;

const NOW: Time = Time::ZERO;
const LATER: Time = Time::from_nanos(6_000_000_000);

/// What each side, dialler and acceptor, comes to: the channel, or why there is none.
type Met = [Result<Channel, Status>; 2];

/// Lets two sessions shake hands, until neither has anything to say.
fn meet(dialler: Session, acceptor: Session) -> Met {
    let mut sides = [dialler, acceptor].map(|session| (session, None));
    loop {
        let said = sides.each_mut().map(|(session, _)| {
            let mut said = Vec::new();
            while session.connection.wants_write() {
                session.connection.write_tls(&mut said).unwrap();
            }
            said
        });
        if said.iter().all(Vec::is_empty) {
            return sides.map(|(session, failed)| match failed {
                Some(status) => Err(status),
                None => session.channel().map_err(|error| refusal(&error)),
            });
        }
        for (side, heard) in sides.iter_mut().zip(said.iter().rev()) {
            hear(side, heard);
        }
    }
}

fn hear((session, failed): &mut (Session, Option<Status>), mut bytes: &[u8]) {
    while !bytes.is_empty() && failed.is_none() {
        session.connection.read_tls(&mut bytes).unwrap();
        if let Err(error) = session.connection.process_new_packets() {
            *failed = Some(refusal(&error));
        }
    }
}

fn between(dialler: &Tls, acceptor: &Tls) -> Met {
    meet(dialler.begin(Role::Dialler, NOW), acceptor.begin(Role::Acceptor, NOW))
}

/// Both sides refuse, and the messages say this.
#[track_caller]
fn check_refused(met: &Met, dialler: &str, acceptor: &str) {
    for (met, expect) in met.iter().zip([dialler, acceptor]) {
        let status = met.as_ref().expect_err("no channel");
        assert!(status.message.contains(expect), "{status}");
    }
}

fn key_of(seed: [u8; 32]) -> [u8; 32] {
    use ::ring::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    pair.public_key().as_ref().try_into().unwrap()
}

#[test]
fn both_ends_of_a_channel_agree_on_its_binding_and_see_each_others_key() {
    let (a, b) = (Tls::of_identity(&[1; 32]), Tls::of_identity(&[2; 32]));
    let [near, far] = between(&a, &b).map(Result::unwrap);
    assert_eq!(near.binding, far.binding);
    assert_eq!(near.key, Some(key_of([2; 32])));
    assert_eq!(far.key, Some(key_of([1; 32])));
}

#[test]
fn no_two_channels_have_one_binding() {
    let (a, b) = (Tls::of_identity(&[1; 32]), Tls::of_identity(&[2; 32]));
    let bindings = || between(&a, &b).map(|met| met.unwrap().binding);
    assert_ne!(bindings(), bindings());
}

#[test]
fn only_ed25519_is_taken_for_a_key() {
    let mut spki =
        [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &[7; 32]].concat();
    assert_eq!(ed25519_of(&spki), Some([7; 32]));
    assert_eq!(ed25519_of(&spki[..43]), None);
    spki[8] = 0x6e; // X25519
    assert_eq!(ed25519_of(&spki), None);
}

/// An authority, and where its files are.
struct Office {
    issuer: CertifiedIssuer<'static, KeyPair>,
    files: TempDir,
}

/// When a certificate is valid, in years.
#[derive(Clone, Copy)]
struct Years(u64, u64);

const VALID: Years = Years(2020, 2090);
const EXPIRED: Years = Years(2000, 2001);
const NOT_YET: Years = Years(2089, 2090);

impl Office {
    fn new() -> Self {
        let number = u64::from_be_bytes(random());
        Self::of_name(&format!("authority {number}"))
    }

    fn of_name(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let office = Self { issuer, files: TempDir::new().unwrap() };
        office.put("ca", &office.issuer.pem());
        office.certify(VALID);
        office
    }

    fn put(&self, name: &str, content: &str) {
        std::fs::write(self.files.path().join(name), content).unwrap();
    }

    /// A new certificate takes the place of the old one.
    fn certify(&self, years: Years) {
        let mut params = CertificateParams::new(vec!["any.name".to_owned()]).unwrap();
        let year = |year| i32::try_from(year).unwrap();
        params.not_before = rcgen::date_time_ymd(year(years.0), 1, 1);
        params.not_after = rcgen::date_time_ymd(year(years.1), 1, 1);
        let key = KeyPair::generate().unwrap();
        self.put("cert", &params.signed_by(&key, &self.issuer).unwrap().pem());
        self.put("key", &key.serialize_pem());
    }

    fn authority(&self) -> Authority {
        let file = |name| self.files.path().join(name);
        Authority { ca: file("ca"), cert: file("cert"), key: file("key") }
    }

    fn open(&self) -> Result<Tls, AuthorityError> {
        Tls::of_authority(self.authority(), NOW)
    }

    /// A node that has a certificate of those years, and took it when it was good by its own clock.
    fn behind_its_time(&self, years: Years) -> Tls {
        let tls = self.open().unwrap();
        self.certify(years);
        tls.configs.store(Arc::new(at_year(&self.authority(), years.0)));
        tls
    }
}

#[test]
fn holders_of_one_authoritys_certificates_come_together_whatever_their_names() {
    let office = Office::new();
    let a = office.open().unwrap();
    office.certify(VALID);
    let [near, far] = between(&a, &office.open().unwrap()).map(Result::unwrap);
    assert_eq!(near.binding, far.binding);
    assert_eq!((near.key, far.key), (None, None));
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (a, b) = (Office::new(), Office::new());
    let met = between(&a.open().unwrap(), &b.open().unwrap());
    let expect = "is of another authority";
    check_refused(&met, expect, expect);
    let (a, b) = (Office::of_name("same"), Office::of_name("same"));
    let met = between(&a.open().unwrap(), &b.open().unwrap());
    check_refused(&met, "is not signed with the right key", "certificate is not valid");
}

#[test]
fn a_certificate_out_of_its_time_is_refused_on_both_sides() {
    let office = Office::new();
    let good = office.open().unwrap();
    let own = "says that this node's certificate has expired, or is not valid yet";
    for (years, flaw) in [(EXPIRED, "has expired"), (NOT_YET, "is not valid yet")] {
        let theirs = format!("the other side's certificate {flaw}");
        let bad = office.behind_its_time(years);
        check_refused(&between(&good, &bad), &theirs, own);
        check_refused(&between(&bad, &good), own, &theirs);
        office.certify(VALID);
    }
}

#[test]
fn keys_and_certificates_do_not_mix() {
    let (keys, certificates) = (Tls::of_identity(&[1; 32]), Office::new().open().unwrap());
    let expect = "one uses an authority's certificates and the other does not";
    check_refused(&between(&keys, &certificates), expect, expect);
    check_refused(&between(&certificates, &keys), expect, expect);
}

/// Changes the files; whether they cannot be used, and what is said of which.
#[track_caller]
fn check_unusable(change: impl FnOnce(&Office), file: &str, flaw: &str) {
    let office = Office::new();
    change(&office);
    let error = office.open().err().expect("cannot be used").to_string();
    let path = office.files.path().join(file).display().to_string();
    assert!(error.starts_with(&path) && error.contains(flaw), "{error}");
}

fn remove(office: &Office, name: &str) {
    std::fs::remove_file(office.files.path().join(name)).unwrap();
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_would_be_right() {
    check_unusable(|office| remove(office, "ca"), "ca", "cannot be read");
    check_unusable(|office| remove(office, "key"), "key", "cannot be read");
    check_unusable(
        |office| office.put("cert", "?"),
        "cert",
        "holds no certificate in PEM (BEGIN CERT",
    );
    check_unusable(
        |office| office.put("key", ""),
        "key",
        "holds no private key in PEM (BEGIN PRIV",
    );
    let other = || KeyPair::generate().unwrap().serialize_pem();
    check_unusable(
        |office| office.put("key", &other()),
        "key",
        "is not the key of the certificate in",
    );
    check_unusable(|office| office.certify(EXPIRED), "cert", "has expired");
    check_unusable(|office| office.certify(NOT_YET), "cert", "is not valid yet");
    let foreign = Office::new().issuer.pem();
    check_unusable(|office| office.put("ca", &foreign), "cert", "is of another authority");
    check_unusable(|office| office.put("ca", &" ".repeat(2 << 20)), "ca", "is larger than");
}

/// Which certificate a node shows.
fn shown_by(tls: &Tls, now: Time) -> Vec<u8> {
    tls.begin(Role::Dialler, now).mine
}

#[test]
fn certificates_are_exchanged_while_nodes_run() {
    let office = Office::new();
    let (a, b) = (office.open().unwrap(), office.open().unwrap());
    let before = shown_by(&a, NOW);
    office.certify(VALID);
    assert_eq!(shown_by(&a, NOW), before, "files are not read for every link");
    let after = shown_by(&a, LATER);
    assert_ne!(after, before);
    assert!(between(&a, &b).iter().all(Result::is_ok), "with one that still has the old one");

    office.put("cert", "half a file");
    assert_eq!(shown_by(&a, LATER + Duration::from_secs(6)), after, "the old one stays");
    remove(&office, "key");
    assert_eq!(shown_by(&a, LATER + Duration::from_secs(12)), after);
    office.certify(VALID);
    assert_ne!(shown_by(&a, LATER + Duration::from_secs(18)), after, "until there is a good one");
}

#[test]
fn a_refusal_has_a_code() {
    let unknown = rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
    assert_eq!(refusal(&unknown).code, Code::Unauthenticated);
    assert_eq!(refusal(&rustls::Error::DecryptError).code, Code::FailedPrecondition);
}
