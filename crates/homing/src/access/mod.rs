//! Who may do what on a node, and how does somebody show who it is?
//!
//! An [`AccessList`] allows; what it does not allow is refused, written to the audit log and counted. By whom it allows
//! is an identity, which nobody can take from its node, or a token: made by an issuer ([`IssuerKey`], [`Draft`]),
//! believed by the nodes that have the issuer's public key ([`Issuer`]), shown with each call.
//!
//! Tokens live by the wall clocks of who makes and who believes them, which may be
//! [`TOKEN_LEEWAY`](crate::limits::TOKEN_LEEWAY) apart: a node whose clock is further off takes a fresh token for one
//! that is not valid yet, or an old one for fresh.

mod audit;
mod decisions;
pub(crate) mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod gate;
mod issuer;
mod list;
mod pattern;
pub(crate) mod rule;
mod source;
mod token;

pub(crate) use audit::Audit;
pub(crate) use gate::Gate;
pub use gate::RefusalStats;
pub use issuer::{BadIssuer, Issuer, IssuerKey, IssuerKeyError};
pub use list::AccessList;
pub(crate) use source::OwnToken;
pub use source::TokenSource;
pub use token::{BadDraft, BadToken, Claims, Draft, rfc3339};
