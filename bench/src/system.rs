//! Who is measured, how is each started, and what can it do?

use clap::ValueEnum;

use crate::report::Work;

/// Who is measured. The names are those of the rows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub(crate) enum System {
    /// The floor: whole requests over TCP, a connection for each caller; streams read in chunks.
    Tcp,
    /// The same bytes, a hundred requests at a time.
    TcpBatched,
    /// Messages over TCP, one way, a hundred at a time.
    TcpOneway,
    /// Whole requests over a unix socket.
    Unix,
    /// homing over TCP.
    Homing,
    /// The same; items of streams are read while they come.
    HomingChunks,
    /// homing over a unix socket, as by itself on one host.
    HomingUnix,
    /// homing over TLS, in a mesh with a key.
    HomingKeyed,
    /// The same; items of streams are read while they come.
    HomingKeyedChunks,
    /// NATS: `nats-server` and `async-nats`.
    Nats,
    /// The same, answered by two members of a queue group.
    NatsQueue,
    /// zenoh, peer to peer.
    Zenoh,
    /// gRPC: tonic.
    Grpc,
    /// `ZeroMQ`: libzmq.
    Zeromq,
    /// cote, on Node.
    Cote,
    /// PIGATO, on Node.
    Pigato,
    /// masterless, on Node.
    Masterless,
}

/// What a system's ends are programs of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    /// This one.
    Own,
    /// A script in `node/`.
    Node,
}

impl System {
    /// As in the rows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::TcpBatched => "tcp-batched",
            Self::TcpOneway => "tcp-oneway",
            Self::Unix => "unix",
            Self::Homing => "homing",
            Self::HomingChunks => "homing-chunks",
            Self::HomingUnix => "homing-unix",
            Self::HomingKeyed => "homing-keyed",
            Self::HomingKeyedChunks => "homing-keyed-chunks",
            Self::Nats => "nats",
            Self::NatsQueue => "nats-queue",
            Self::Zenoh => "zenoh",
            Self::Grpc => "grpc",
            Self::Zeromq => "zeromq",
            Self::Cote => "cote",
            Self::Pigato => "pigato",
            Self::Masterless => "masterless",
        }
    }

    /// The system that a row tells of, and which way of it, where it has several.
    pub(crate) const fn row(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::NatsQueue => ("nats", Some("queue group")),
            Self::HomingChunks => ("homing", Some("in chunks")),
            Self::HomingKeyedChunks => ("homing-keyed", Some("in chunks")),
            system => (system.name(), None),
        }
    }

    /// Whether it is homing, in whatever way.
    pub(crate) const fn is_ours(self) -> bool {
        matches!(self, Self::Homing | Self::HomingUnix | Self::HomingKeyed) || self.reads_chunks()
    }

    /// Whether items of streams are read while they come, rather than whole.
    pub(crate) const fn reads_chunks(self) -> bool {
        matches!(self, Self::HomingChunks | Self::HomingKeyedChunks)
    }

    /// Whether it is homing in a mesh with a key.
    pub(crate) const fn has_key(self) -> bool {
        matches!(self, Self::HomingKeyed | Self::HomingKeyedChunks)
    }

    /// Whether it is a bare socket.
    pub(crate) const fn is_floor(self) -> bool {
        matches!(self, Self::Tcp | Self::TcpBatched | Self::TcpOneway | Self::Unix)
    }

    pub(crate) const fn program(self) -> Program {
        match self {
            Self::Cote | Self::Pigato | Self::Masterless => Program::Node,
            _ => Program::Own,
        }
    }

    /// Whether something stands between the ends.
    pub(crate) const fn has_broker(self) -> bool {
        matches!(self, Self::Nats | Self::NatsQueue | Self::Pigato)
    }

    /// Whether a caller that is alone can be measured at all.
    const fn least_callers(self) -> u32 {
        match self {
            Self::TcpBatched => BATCH,
            _ => 1,
        }
    }

    /// What it does of a work with so many.
    pub(crate) const fn does(self, work: Work, concurrency: u32) -> Does {
        match (self, work) {
            (Self::TcpOneway, Work::Pub) => Does::It,
            (Self::TcpOneway, _)
            | (Self::TcpBatched | Self::Unix | Self::NatsQueue, Work::Pub | Work::Stream)
            | (Self::HomingChunks | Self::HomingKeyedChunks, Work::Call | Work::Pub)
            | (Self::Tcp, Work::Pub) => Does::NotMeant,
            (_, Work::Call) if concurrency < self.least_callers() => Does::NotMeant,
            (
                Self::Nats | Self::Zenoh | Self::Zeromq | Self::Cote | Self::Masterless,
                Work::Stream,
            ) => Does::Cannot("it has no streams: its pub rows are what it has for that"),
            (Self::Grpc, Work::Pub) => Does::Cannot(
                "it has no topics: its stream rows, server streaming, are what it has for that",
            ),
            (Self::Pigato, Work::Pub) => Does::Cannot("it has no topics"),
            (Self::Pigato, Work::Stream) => Does::Cannot(
                "its partial replies have no flow control: what is written as fast as possible is lost",
            ),
            _ => Does::It,
        }
    }
}

/// Requests that `tcp-batched` has under way at a time, and messages that `tcp-oneway` writes at a time.
pub(crate) const BATCH: u32 = 100;

/// Whether a system does a work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Does {
    It,
    /// There is no such floor.
    NotMeant,
    /// A peer that has nothing of the kind.
    Cannot(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_command_line_are_those_of_the_rows() {
        for system in System::value_variants() {
            let value = system.to_possible_value().unwrap();
            assert_eq!(value.get_name(), system.name());
        }
    }

    #[test]
    fn batches_need_a_crowd_and_a_floor_that_is_not_meant_has_no_row() {
        assert_eq!(System::TcpBatched.does(Work::Call, 10), Does::NotMeant);
        assert_eq!(System::TcpBatched.does(Work::Call, 100), Does::It);
        assert_eq!(System::Unix.does(Work::Pub, 1), Does::NotMeant);
        assert!(matches!(System::Pigato.does(Work::Pub, 1), Does::Cannot(_)));
    }
}
