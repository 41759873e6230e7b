//! (stub, replaced by the real module)
use std::sync::Arc;
macro_rules! stub { ($($n:ident),*) => { $(
/// Stub.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct $n(Arc<str>);
impl $n { /// Stub.
pub fn as_str(&self) -> &str { &self.0 }
/// Stub.
pub fn parse_any(s: &str) -> Result<Self, String> { s.parse() } }
impl std::str::FromStr for $n { type Err = String; fn from_str(s: &str) -> Result<Self, String> { Ok(Self(s.into())) } }
)* } }
stub!(NodeName, Namespace, ServiceName, Method, MeshName);
