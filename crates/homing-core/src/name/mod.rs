//! What is a good name? Every name, address, version and range is parsed once, here, into a type that proves it.
//!
//! All of them are cheap to clone, ordered, bounded by [`limits`](crate::limits), and their `Display` is the canonical
//! text, which parses back to the same value. Text that is refused comes back as a [`BadName`] that says what was given,
//! where it is wrong and what would be right.
//!
//! | type | text | of |
//! |---|---|---|
//! | [`MeshName`], [`Namespace`], [`NodeName`] | `default`, `shop.eu`, `words@host:4711` | the mesh, a part of it, a node |
//! | [`ServiceName`] | `words`, `price%20list` | what is served |
//! | [`Method`], [`MethodPattern`] | `admin/count`, `admin/*`, `**` | a part of a service, or several |
//! | [`Topic`], [`TopicPattern`], [`Group`] | `orders.eu`, `orders.*`, `**`, `workers` | what messages are about, and who shares them |
//! | [`Version`], [`Range`] | `1.2.0`, `^1`, `>=1 <3` | which of them, as npm reads both |
//! | [`OfferName`] | `words@1.2.0/admin/*` | what a responder promises |
//! | [`Address`] | `words@^1/count` | what a caller names |
//! | [`Label`] | `zone=a` | what else there is to say of an offer |

mod address;
mod cursor;
mod error;
mod escape;
mod label;
mod method;
mod near;
mod pattern;
mod place;
mod range;
mod select;
mod service;
mod text;
mod topic;
mod version;

pub use address::{Address, OfferName};
pub use error::{BadName, Problem};
pub use label::Label;
pub use method::Method;
pub use near::{edits, likeness};
pub use pattern::{MethodPattern, Specificity};
pub use place::{MeshName, Namespace, NodeName};
pub use range::Range;
pub use select::{Selection, VersionReq};
pub use service::ServiceName;
pub use topic::{Group, Topic, TopicPattern};
pub use version::Version;
