//! With what are the links of a keyed mesh encrypted? TLS 1.3, and either the nodes' own keys or certificates of the
//! user's authority.
//!
//! Nobody has to hand out certificates: a node shows the public key of its identity and nothing else, as a *raw public
//! key* (RFC 7250). So there are no names, dates or extensions in it that a stranger could make up, and none are read.
//! That it has the private key, each side shows by the signature of its TLS handshake; that it belongs to the mesh, by
//! the proof that comes after (decisions B6), which covers both keys and this very channel. With certificates of an
//! authority both sides ask for one, and only then come to the proof.
//!
//! No resumption, no tickets, no early data: every link shakes hands in full, and nothing can be replayed.

use super::authority::{Authority, AuthorityError, Files};
use super::own_key::{OwnKey, ed25519_of, pkcs8};
use super::sha256;
use arc_swap::ArcSwap;
use homing_core::crypto::Role;
use homing_core::link::Channel;
use parking_lot::Mutex;
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{AlwaysResolvesServerRawPublicKeys, ParsedCertificate};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use std::sync::Arc;

/// What both sides say they speak inside.
const PROTOCOL: &[u8] = b"homing/1";

/// The label of the secret that a link's proofs are bound to (decisions B6).
const EXPORTER: &[u8] = b"EXPORTER-homing-1";

/// A name to be dialled, for rustls wants one. It is not sent and not checked: peers are dialled by address.
const NO_NAME: &str = "homing.invalid";

/// What the links of one node are encrypted with.
pub(crate) struct Tls {
    configs: ArcSwap<Configs>,
    /// Locked by who looks after them alone; links never wait for files.
    files: Option<Mutex<Files>>,
}

/// How new links shake hands, on either side.
pub(super) struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// Our public key, as others see it.
    mine: Vec<u8>,
    shown: Shown,
}

/// What the two sides show each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shown {
    /// The public keys of their identities.
    Keys,
    /// Certificates of the user's authority, whose keys are not the identities'.
    Certificates,
}

impl Tls {
    /// Links between identities; `seed` is that of this node's Ed25519 key.
    pub(crate) fn of_identity(seed: &[u8; 32]) -> Self {
        Self { configs: ArcSwap::from_pointee(Configs::of_identity(seed)), files: None }
    }

    /// Links between holders of an authority's certificates. The files are read again by [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// A file cannot be used; which, and why.
    pub(crate) fn of_authority(authority: Authority) -> Result<Self, AuthorityError> {
        let (files, configs) = Files::open(authority)?;
        Ok(Self { configs: ArcSwap::from_pointee(configs), files: Some(Mutex::new(files)) })
    }

    /// Looks whether the certificates have changed, and uses them for new links if they can be used. Reads files, and
    /// blocks meanwhile.
    pub(crate) fn refresh(&self) {
        if let Some(changed) = self.files.as_ref().and_then(|files| files.lock().look()) {
            self.configs.store(Arc::new(changed));
        }
    }

    /// Begins the channel of a new connection.
    pub(crate) fn begin(&self, role: Role) -> Session {
        self.configs.load().begin(role)
    }
}

impl Configs {
    fn of_identity(seed: &[u8; 32]) -> Self {
        let provider = provider();
        let key = PrivateKeyDer::Pkcs8(pkcs8(seed).into());
        let key = provider.key_provider.load_private_key(key).expect("any seed makes a key");
        let mine = key.public_key().expect("ring knows the public key of its pair").to_vec();
        let shown = Arc::new(CertifiedKey::new(vec![CertificateDer::from(mine.clone())], key));
        let verifier = Arc::new(OwnKey(provider.signature_verification_algorithms));
        let client = client(&provider)
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&shown),
            )));
        let server = server(&provider)
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(shown)));
        Self::new(client, server, mine, Shown::Keys)
    }

    /// `mine` has been checked: it is `key`'s, and of the authority that the verifiers ask for.
    pub(super) fn of_authority(
        servers: Arc<dyn rustls::client::danger::ServerCertVerifier>,
        clients: Arc<dyn ClientCertVerifier>,
        certified: CertifiedKey,
        mine: Vec<u8>,
    ) -> Self {
        let provider = provider();
        let certified = Arc::new(SingleCertAndKey::from(certified));
        let client = client(&provider)
            .dangerous()
            .with_custom_certificate_verifier(servers)
            .with_client_cert_resolver(Arc::clone(&certified) as _);
        let server =
            server(&provider).with_client_cert_verifier(clients).with_cert_resolver(certified);
        Self::new(client, server, mine, Shown::Certificates)
    }

    fn new(
        mut client: ClientConfig,
        mut server: ServerConfig,
        mine: Vec<u8>,
        shown: Shown,
    ) -> Self {
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Self { client: Arc::new(client), server: Arc::new(server), mine, shown }
    }

    fn begin(&self, role: Role) -> Session {
        let connection = match role {
            Role::Dialler => {
                let name = ServerName::try_from(NO_NAME).expect("a name of letters and a dot");
                ClientConnection::new(Arc::clone(&self.client), name).map(Connection::from)
            }
            Role::Acceptor => ServerConnection::new(Arc::clone(&self.server)).map(Connection::from),
        };
        let mut connection = connection.expect("the config was checked when it was made");
        connection.set_buffer_limit(None); // Who encrypts takes it out at once, and bounds it.
        Session { connection, role, mine: self.mine.clone(), shown: self.shown }
    }
}

/// One connection's TLS, from the first byte on.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    role: Role,
    mine: Vec<u8>,
    shown: Shown,
}

impl Session {
    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    /// What the link's own proofs have to be bound to, once the handshake is complete.
    ///
    /// # Errors
    /// The peer speaks something else than homing inside.
    pub(crate) fn channel(&self) -> Result<Channel, rustls::Error> {
        if self.connection.alpn_protocol() != Some(PROTOCOL) {
            return Err(rustls::Error::NoApplicationProtocol);
        }
        let shown = self.connection.peer_certificates().and_then(<[_]>::first);
        let shown = shown.ok_or(rustls::Error::NoCertificatesPresented)?;
        let (theirs, key) = match self.shown {
            Shown::Keys => {
                let key = ed25519_of(shown).ok_or(rustls::CertificateError::BadEncoding)?;
                (shown.to_vec(), Some(key))
            }
            Shown::Certificates => {
                (ParsedCertificate::try_from(shown)?.subject_public_key_info().to_vec(), None)
            }
        };
        let secret = self.connection.export_keying_material([0; 32], EXPORTER, None)?;
        let (dialler, acceptor) = match self.role {
            Role::Dialler => (&self.mine, &theirs),
            Role::Acceptor => (&theirs, &self.mine),
        };
        Ok(Channel { binding: sha256(&[dialler, acceptor, &secret[..]].concat()), key })
    }
}

/// TLS 1.3 by ring, and nothing a program around us may have installed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn client(
    provider: &Arc<CryptoProvider>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect("ring has suites for TLS 1.3")
}

fn server(
    provider: &Arc<CryptoProvider>,
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect("ring has suites for TLS 1.3")
}

#[cfg(test)]
mod tests;
