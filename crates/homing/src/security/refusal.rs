//! What does it mean that a channel did not come about? In words for whoever reads why a dial failed.

use super::authority::certificate_flaw;
use homing_core::limits::TLS_HANDSHAKE_MAX;
use homing_core::talk::{Code, Status};
use rustls::{AlertDescription, Error};

/// The status of a link whose TLS has failed.
pub(crate) fn refusal(error: &Error) -> Status {
    match error {
        Error::InvalidCertificate(_) => {
            let flaw = certificate_flaw(error);
            refused(Code::Unauthenticated, format!("the other side's certificate {flaw}"))
        }
        Error::NoCertificatesPresented => {
            refused(Code::Unauthenticated, "the other side shows no certificate")
        }
        Error::AlertReceived(alert) => told(*alert),
        Error::PeerIncompatible(why) => {
            let message = format!(
                "the other side's TLS does not fit: one uses an authority's certificates and the other does not, or it is no homing node ({why:?})"
            );
            refused(Code::FailedPrecondition, message)
        }
        Error::NoApplicationProtocol => {
            refused(Code::FailedPrecondition, "the other side speaks TLS, but not homing/1 in it")
        }
        error => refused(Code::FailedPrecondition, format!("TLS: {error}")),
    }
}

/// What the other side says of us.
fn told(alert: AlertDescription) -> Status {
    let ours = |flaw: &str| {
        let message = format!("the other side says that this node's certificate {flaw}");
        refused(Code::Unauthenticated, message)
    };
    match alert {
        AlertDescription::CertificateExpired => ours("has expired, or is not valid yet"),
        AlertDescription::UnknownCA => ours("is of another authority"),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError => ours("is not valid"),
        AlertDescription::CertificateRequired => ours("is missing"),
        AlertDescription::HandshakeFailure | AlertDescription::UnsupportedExtension => refused(
            Code::FailedPrecondition,
            "the other side's TLS does not fit: one uses an authority's certificates and the other does not, or it is no homing node",
        ),
        AlertDescription::NoApplicationProtocol => {
            refused(Code::FailedPrecondition, "the other side speaks TLS, but not homing/1 in it")
        }
        alert => refused(Code::Unavailable, format!("the other side ended TLS: {alert:?}")),
    }
}

/// A dialler that has no key spoke as it would among its own.
pub(crate) fn plain_homing() -> Status {
    let message = "this mesh has a key and links over TCP speak TLS: the other side has no key";
    refused(Code::FailedPrecondition, message)
}

/// Something else than TLS came.
pub(crate) fn not_tls() -> Status {
    let message = "the other side does not speak TLS: it has no mesh key, or is no homing node";
    refused(Code::FailedPrecondition, message)
}

/// What came was TLS, and too much of it.
pub(crate) fn long_handshake() -> Status {
    let message = format!(
        "the other side's TLS handshake has more than {TLS_HANDSHAKE_MAX} bytes: it shows too many certificates, or is no homing node"
    );
    refused(Code::FailedPrecondition, message)
}

fn refused(code: Code, message: impl Into<String>) -> Status {
    Status::not_started(code, message)
}
