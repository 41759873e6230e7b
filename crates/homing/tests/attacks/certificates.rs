//! And where links show certificates of somebody's authority, who has the mesh's key but no good certificate?

use super::attacker::{ELSEWHERE, connect};
use super::bystander::{Outcome, Victim, check_on, soon, visitor};
use super::forged::is_refused;
use homing::{Authority, Config, Key, Node};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, Stream,
};
use std::io::Read;
use std::sync::Arc;

use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

/// Who makes certificates.
struct Office(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
struct Certificate {
    cert: String,
    key: String,
}

impl Office {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certify(&self, from: i32, to: i32) -> Certificate {
        let mut params = CertificateParams::new(vec!["any.name".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap().pem();
        Certificate { cert, key: key.serialize_pem() }
    }

    /// Puts a certificate of this year where a node can read it.
    fn authority(&self, files: &TempDir) -> Authority {
        let Certificate { cert, key } = self.certify(2020, 2090);
        let put = |name: &str, content: String| {
            let path = files.path().join(name);
            std::fs::write(&path, content).unwrap();
            let own = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, own).unwrap();
            path
        };
        Authority { ca: put("ca", self.0.pem()), cert: put("cert", cert), key: put("key", key) }
    }
}

/// A client that believes everybody, and asks to be believed.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn client(shown: Option<&Certificate>) -> ClientConnection {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous));
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(Certificate { cert, key }) => {
            let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"homing/1".to_vec()];
    let name = ServerName::try_from("any.name").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Shakes hands with what is shown, and waits for an answer: the alert that came in its place.
async fn told(victim: &Victim, shown: Option<&Certificate>) -> Option<AlertDescription> {
    let mut connection = client(shown);
    let mut socket = connect(ELSEWHERE, victim.at).await.unwrap().into_std().unwrap();
    let talk = tokio::task::spawn_blocking(move || {
        socket.set_nonblocking(false).unwrap();
        let heard = Stream::new(&mut connection, &mut socket).read(&mut [0; 64]);
        let error = heard.err()?.into_inner()?.downcast::<Error>().ok()?;
        match *error {
            Error::AlertReceived(alert) => Some(alert),
            _ => None,
        }
    });
    soon(talk).await.unwrap()
}

/// What a node with an authority tells whoever shows this.
fn shows(certificate: impl FnOnce(&Office) -> Option<Certificate>) -> Outcome<AlertDescription> {
    let (office, files) = (Office::new("ours"), TempDir::new().unwrap());
    let shown = certificate(&office);
    let config = Config::isolated().key(Key::generate()).tls(office.authority(&files));
    let outcome = check_on(config, async |victim| {
        told(victim, shown.as_ref()).await.expect("an alert, and no word of the mesh")
    });
    let connections = outcome.stats.connections;
    assert!(connections.unauthenticated >= 1, "{connections:?}");
    assert_eq!(connections.half_open, 0, "{connections:?}");
    outcome
}

#[test]
fn an_expired_certificate_is_refused() {
    let outcome = shows(|ours| Some(ours.certify(2000, 2001)));
    assert_eq!(outcome.found, AlertDescription::CertificateExpired);
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let outcome = shows(|_| Some(Office::new("theirs").certify(2020, 2090)));
    assert_eq!(outcome.found, AlertDescription::UnknownCA);
}

#[test]
fn a_certificate_of_another_authority_of_the_same_name_is_refused() {
    shows(|_| Some(Office::new("ours").certify(2020, 2090)));
}

#[test]
fn who_shows_no_certificate_is_refused() {
    let outcome = shows(|_| None);
    assert_eq!(outcome.found, AlertDescription::CertificateRequired);
}

#[test]
fn who_has_the_key_and_no_certificate_does_not_get_in() {
    let (office, files) = (Office::new("ours"), TempDir::new().unwrap());
    let config = Config::isolated().key(Key::generate()).tls(office.authority(&files));
    let outcome = check_on(config, async |victim| {
        let mut stranger = visitor(victim);
        stranger.tls = None;
        let node = Node::join(stranger).await.unwrap();
        assert!(is_refused(&node).await);
        assert!(node.services().is_empty(), "nothing is told to a stranger");
        node.close_now().await;
    });
    let connections = outcome.stats.connections;
    assert!(connections.unfit + connections.unauthenticated >= 1, "{connections:?}");
}
