//! What is counted on a link?

/// What happened on a link so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Calls begun from here.
    pub calls: u64,
    /// Calls begun from there.
    pub requests: u64,
    /// Calls refused here because a bound was reached.
    pub refused: u64,
    /// Times that the peer broke the protocol, bounds that it was told of included; it ended the link.
    pub broken_rules: u64,
    /// Times that more waited to be read by the peer than may; it ended the link.
    pub overrun: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes given to the socket.
    pub bytes_out: u64,
}

impl Stats {
    /// Both together.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            requests: self.requests + other.requests,
            refused: self.refused + other.refused,
            broken_rules: self.broken_rules + other.broken_rules,
            overrun: self.overrun + other.overrun,
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
        }
    }
}
