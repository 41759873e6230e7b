//! (to be written)
mod pair;
mod input {
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
    pub(crate) struct LinkId(pub(crate) u64);
}
