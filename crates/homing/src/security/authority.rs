//! How do links use certificates of the user's own authority? From PEM files, which may be exchanged while a node runs.

use super::tls::{Configs, provider};
use homing_core::time::Time;
use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, InconsistentKeys, PeerIncompatible,
    RootCertStore, SignatureScheme,
};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at, where links are made.
const LOOK: Duration = Duration::from_secs(5);

/// The most that is read of a file. A larger one is refused: it is no list of certificates.
const FILE_MAX: u64 = 1024 * 1024;

/// Certificates of an authority of one's own, for the links of a mesh with a key.
///
/// Both sides of a link show theirs, and check that the other's is of this authority, and valid by their clocks. Names
/// in certificates are not checked: nodes are dialled by address, and who may do what is the access list's. Where a
/// certificate says what it may be used for, it must say both server and client. The files are read again when they
/// change; new links use the new certificate, and files that cannot be used change nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authority {
    /// A PEM file with the authority's certificates, one or more.
    pub ca: PathBuf,
    /// A PEM file with the node's certificate, then those between it and the authority's.
    pub cert: PathBuf,
    /// A PEM file with the private key of the node's certificate.
    pub key: PathBuf,
}

/// Why files of an [`Authority`] cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{} {flaw}", file.display())]
    Unusable {
        /// Which.
        file: PathBuf,
        /// What is wrong, and what would be right.
        flaw: String,
    },
}

/// The files, and what was last seen in them.
pub(super) struct Files {
    authority: Authority,
    seen: Mutex<Seen>,
}

struct Seen {
    at: Time,
    /// Whether it could be used or not: it is judged once.
    content: Result<Content, AuthorityError>,
}

/// The bytes of the three files.
#[derive(Eq, PartialEq)]
struct Content {
    ca: Vec<u8>,
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    /// Reads the files for the first time.
    pub(super) fn open(authority: Authority, now: Time) -> Result<(Self, Configs), AuthorityError> {
        let content = Content::read(&authority)?;
        let configs = content.configs(&authority, UnixTime::now())?;
        let seen = Mutex::new(Seen { at: now, content: Ok(content) });
        Ok((Self { authority, seen }, configs))
    }

    /// What is to be used from now on, if the files have changed and can be used. Looks every [`LOOK`] at most, and
    /// says once what cannot be used.
    pub(super) fn poll_change(&self, now: Time) -> Option<Configs> {
        let mut seen = self.seen.lock();
        if now < seen.at + LOOK {
            return None;
        }
        seen.at = now;
        let content = Content::read(&self.authority);
        let same = match (&content, &seen.content) {
            (Ok(new), Ok(old)) => new == old,
            (Err(new), Err(old)) => new.to_string() == old.to_string(),
            _ => false,
        };
        if same {
            return None;
        }
        let configs = match &content {
            Ok(content) => {
                content.configs(&self.authority, UnixTime::now()).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        seen.content = content;
        match configs {
            Ok(configs) => {
                tracing::info!(cert = %self.authority.cert.display(), "new links use a new certificate");
                Some(configs)
            }
            Err(error) => {
                tracing::warn!(%error, "the certificates read before stay in use");
                None
            }
        }
    }
}

impl Content {
    fn read(authority: &Authority) -> Result<Self, AuthorityError> {
        let Authority { ca, cert, key } = authority;
        Ok(Self { ca: read(ca)?, cert: read(cert)?, key: read(key)? })
    }

    fn configs(&self, from: &Authority, now: UnixTime) -> Result<Configs, AuthorityError> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let roots = self.roots(&from.ca)?;
        let certified = self.certified(from, &provider)?;
        let verifier = Arc::new(ByAuthority { roots: Arc::clone(&roots), algorithms });
        let [own, between @ ..] = &certified.cert[..] else {
            unreachable!("a file without a certificate was refused")
        };
        verifier.check(own, between, now).map_err(|error| {
            let (flaw, ca) = (certificate_flaw(&error), from.ca.display());
            unusable(&from.cert, format!("{flaw} (the authority is read from {ca})"))
        })?;
        let mine = ParsedCertificate::try_from(own)
            .map_err(|error| unusable(&from.cert, certificate_flaw(&error)))?
            .subject_public_key_info()
            .to_vec();
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| unusable(&from.ca, format!("cannot be used: {error}")))?;
        Ok(Configs::of_authority(verifier, clients, certified, mine))
    }

    fn roots(&self, file: &Path) -> Result<Arc<RootCertStore>, AuthorityError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file, &self.ca)? {
            roots
                .add(certificate)
                .map_err(|error| unusable(file, format!("is no authority: {error}")))?;
        }
        Ok(Arc::new(roots))
    }

    fn certified(
        &self,
        from: &Authority,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, AuthorityError> {
        let chain = certificates(&from.cert, &self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            let flaw = format!("holds no private key in PEM (BEGIN PRIVATE KEY): {error}");
            unusable(&from.key, flaw)
        })?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let flaw = format!("is not the key of the certificate in {}", from.cert.display());
                unusable(&from.key, flaw)
            }
            error => unusable(&from.key, format!("holds a key that cannot be used: {error}")),
        })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, AuthorityError> {
    let unreadable = |source| AuthorityError::Unreadable { file: file.to_owned(), source };
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(unusable(
            file,
            format!("is larger than {FILE_MAX} bytes; a PEM file is expected"),
        ));
    }
    Ok(bytes)
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unusable(file, "holds no certificate in PEM (BEGIN CERTIFICATE)")),
        Err(error) => Err(unusable(file, format!("is no PEM file of certificates: {error}"))),
    }
}

fn unusable(file: &Path, flaw: impl Into<String>) -> AuthorityError {
    AuthorityError::Unusable { file: file.to_owned(), flaw: flaw.into() }
}

/// What is wrong with a certificate, to be read after what it is of.
pub(crate) fn certificate_flaw(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else {
        return format!("cannot be used: {error}");
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet".into()
        }
        CertificateError::UnknownIssuer => "is of another authority".into(),
        CertificateError::BadSignature => {
            "is not signed with the right key (by another authority of the same name?)".into()
        }
        CertificateError::BadEncoding => "is not readable".into(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "is not for this purpose (server and client authentication)".into()
        }
        error => format!("is not valid: {error}"),
    }
}

/// Accepts certificates of the authority that are valid now, whatever names are in them.
#[derive(Debug)]
struct ByAuthority {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ByAuthority {
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            between,
            now,
            self.algorithms.all,
        )
    }
}

impl ServerCertVerifier for ByAuthority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate, between, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What the files hold, for a node whose clock says it is the year that suits it.
    pub(in crate::security) fn at_year(authority: &Authority, year: u64) -> Configs {
        let now = UnixTime::since_unix_epoch(Duration::from_hours((year - 1970) * 8_766 + 24 * 60));
        Content::read(authority).unwrap().configs(authority, now).unwrap()
    }
}
