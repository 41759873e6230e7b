//! What is the matter with a host? It runs a process, has stopped it, or has none.

use crate::event::Stimulus;
use crate::process::{Process, Who};
use homing_core::time::Time;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Datagrams that the socket of a paused process holds; further ones are lost.
const SOCKET_DATAGRAMS: usize = 256;

/// A place where a process can run.
pub(crate) struct Host {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) state: State,
    /// Who lived here last, so that it can come back.
    pub(crate) last: Option<Who>,
}

/// What a host does.
pub(crate) enum State {
    Running(Box<Process>),
    Paused(Box<Paused>),
    Off(Off),
}

/// A process that stands still; its host goes on taking what is sent to it.
pub(crate) struct Paused {
    pub(crate) process: Process,
    pub(crate) since: Time,
    waiting: VecDeque<Stimulus>,
    datagrams: usize,
}

/// Why no process runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Off {
    /// It ended, or was killed: the host refuses what is sent to it.
    Killed,
    /// The host has no power: nobody answers.
    PowerLost,
}

impl Host {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, state: State::Off(Off::Killed), last: None }
    }

    /// Its process, paused or not.
    pub(crate) fn process(&self) -> Option<&Process> {
        match &self.state {
            State::Running(process) => Some(process),
            State::Paused(paused) => Some(&paused.process),
            State::Off(_) => None,
        }
    }

    /// Its process, if it runs.
    pub(crate) fn running(&mut self) -> Option<&mut Process> {
        match &mut self.state {
            State::Running(process) => Some(process),
            State::Paused(_) | State::Off(_) => None,
        }
    }

    /// Its process, if it runs, only to look at.
    pub(crate) fn awake(&self) -> Option<&Process> {
        match &self.state {
            State::Running(process) => Some(process),
            State::Paused(_) | State::Off(_) => None,
        }
    }

    /// Stops its process. Nothing happens where none runs.
    pub(crate) fn pause(&mut self, now: Time) {
        let State::Running(_) = self.state else { return };
        if let State::Running(process) = std::mem::replace(&mut self.state, State::Off(Off::Killed))
        {
            let (process, waiting) = (*process, VecDeque::new());
            let paused = Paused { process, since: now, waiting, datagrams: 0 };
            self.state = State::Paused(Box::new(paused));
        }
    }

    /// Lets its process go on: since when it stood still, and what came meanwhile.
    pub(crate) fn resume(&mut self) -> Option<(Time, VecDeque<Stimulus>)> {
        let State::Paused(_) = self.state else { return None };
        let State::Paused(paused) = std::mem::replace(&mut self.state, State::Off(Off::Killed))
        else {
            return None;
        };
        let Paused { process, since, waiting, .. } = *paused;
        self.state = State::Running(Box::new(process));
        Some((since, waiting))
    }
}

impl Paused {
    /// Keeps what is sent to the process, as far as its socket can.
    pub(crate) fn keep(&mut self, stimulus: Stimulus) {
        if let Stimulus::Datagram { .. } = stimulus {
            if self.datagrams >= SOCKET_DATAGRAMS {
                return;
            }
            self.datagrams += 1;
        }
        self.waiting.push_back(stimulus);
    }
}
