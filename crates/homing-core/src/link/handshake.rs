//! May these two nodes talk?
//!
//! ```text
//! dialler                      acceptor
//!    | -------- Hello ---------> |   versions, features, mesh, identity, claim, windows
//!    | <------- Hello ---------- |
//!    | -------- Proof ---------> |   checked before the acceptor proves anything itself
//!    | <------- Proof ---------- |
//! ```
//! Nothing but these is read before both proofs are checked (decisions B6); time and size are bounded.

use crate::crypto::{Crypto, Role};
use crate::id::NodeId;
use crate::limits::{CHUNK_MAX, HELLO_MAX};
use crate::talk::{Code, Started, Status};
use crate::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use crate::wire::{Frame, Hello, Malformed, Windows};
use bytes::BytesMut;
use std::sync::Arc;

/// A handshake under way, from one side.
pub(super) struct Handshake {
    role: Role,
    mine: Box<Hello>,
    expect: Option<NodeId>,
    crypto: Arc<dyn Crypto>,
    step: Step,
}

enum Step {
    AwaitHello,
    AwaitProof { theirs: Box<Hello>, transcript: [u8; 64] },
    Done,
}

/// What came of some bytes.
pub(super) enum Progress {
    /// More bytes are needed.
    Pending,
    /// Both sides have proven themselves; this is who the other is.
    Established(Box<Hello>),
}

impl Handshake {
    /// Starts one. A dialler speaks first: its Hello is appended to `out`.
    pub(super) fn new(
        role: Role,
        mine: Box<Hello>,
        expect: Option<NodeId>,
        crypto: Arc<dyn Crypto>,
        out: &mut Vec<u8>,
    ) -> Self {
        if role == Role::Dialler {
            mine.encode(out);
        }
        Self { role, mine, expect, crypto, step: Step::AwaitHello }
    }

    /// Takes what it can from `input`, appends what is to be said to `out`.
    ///
    /// # Errors
    /// The other side is not one to talk to, and why.
    pub(super) fn handle_bytes(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> Result<Progress, Status> {
        if matches!(self.step, Step::AwaitHello) && !self.take_hello(input, out)? {
            return Ok(Progress::Pending);
        }
        self.take_proof(input, out)
    }

    fn take_hello(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Result<bool, Status> {
        let decoded = Hello::decode(input).map_err(|error| last_word(input, error))?;
        let Some((theirs, length)) = decoded else { return Ok(false) };
        let heard = input.split_to(length);
        let mut said = Vec::new();
        self.mine.encode(&mut said);
        if let Err(status) = self.check(&theirs) {
            // A member of the mesh is told who refuses it; a stranger learns nothing.
            if self.role == Role::Acceptor && theirs.mesh == self.mine.mesh {
                out.extend_from_slice(&said);
            }
            return Err(status);
        }
        let transcript = match self.role {
            Role::Dialler => self.transcript(&said, &heard),
            Role::Acceptor => self.transcript(&heard, &said),
        };
        match self.role {
            Role::Dialler => {
                Frame::Proof(self.crypto.prove(Role::Dialler, &transcript)).encode(out);
            }
            Role::Acceptor => out.extend_from_slice(&said),
        }
        self.step = Step::AwaitProof { theirs: Box::new(theirs), transcript };
        Ok(true)
    }

    fn take_proof(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Result<Progress, Status> {
        let proof = match Frame::decode(input).map_err(|error| refusal(error.to_string()))? {
            None if input.len() > HELLO_MAX => {
                return Err(refusal("handshake: something else than a proof"));
            }
            None => return Ok(Progress::Pending),
            Some(Frame::Proof(proof)) => proof,
            Some(Frame::Close(status)) => return Err(Status { started: Started::No, ..*status }),
            Some(_) => return Err(refusal("handshake: something else than a proof")),
        };
        let Step::AwaitProof { theirs, transcript } = std::mem::replace(&mut self.step, Step::Done)
        else {
            return Err(refusal("handshake: a proof out of turn"));
        };
        let other = match self.role {
            Role::Dialler => Role::Acceptor,
            Role::Acceptor => Role::Dialler,
        };
        if !self.crypto.check(other, &transcript, &proof) {
            let message = "the other side does not hold this mesh's key";
            return Err(Status::not_started(Code::Unauthenticated, message));
        }
        if self.role == Role::Acceptor {
            Frame::Proof(self.crypto.prove(Role::Acceptor, &transcript)).encode(out);
        }
        Ok(Progress::Established(theirs))
    }

    fn transcript(&self, dialler: &[u8], acceptor: &[u8]) -> [u8; 64] {
        let mut transcript = [0; 64];
        transcript[..32].copy_from_slice(&self.crypto.digest(dialler));
        transcript[32..].copy_from_slice(&self.crypto.digest(acceptor));
        transcript
    }

    fn check(&self, theirs: &Hello) -> Result<(), Status> {
        let (mine, peer) = (&self.mine, &theirs.peer);
        if theirs.mesh != mine.mesh {
            return Err(refusal("the other side is of another mesh"));
        }
        if theirs.versions.0 > VERSION_MAX || theirs.versions.1 < VERSION_MIN {
            let (low, high) = theirs.versions;
            return Err(refusal(format!(
                "the other side speaks protocol {low} to {high}, this one {VERSION_MIN} to {VERSION_MAX}"
            )));
        }
        if theirs.required & !FEATURES != 0 || mine.required & !theirs.features != 0 {
            return Err(refusal("one side insists on a feature that the other lacks"));
        }
        if !takes_bulk(theirs.windows) {
            return Err(refusal("the other side's windows are smaller than two chunks"));
        }
        if peer.id != NodeId::from_key_digest(&self.crypto.digest(&peer.key)) {
            return Err(Status::not_started(
                Code::Unauthenticated,
                "the other side's id is not that of its key",
            ));
        }
        if peer.id == mine.peer.id {
            return Err(Status::not_started(Code::AlreadyExists, "this is a link to oneself"));
        }
        match self.expect {
            Some(expect) if expect != peer.id => {
                let message =
                    format!("node {} lives here, not {}", peer.id.short(), expect.short());
                Err(Status::not_started(Code::Unavailable, message))
            }
            _ => Ok(()),
        }
    }
}

/// A window is given back by halves: half of one that is smaller may never reach for a chunk, and bulk would stall.
fn takes_bulk(windows: Windows) -> bool {
    windows.conversation.min(windows.link) as usize >= 2 * CHUNK_MAX
}

/// What a side says instead of a Hello: why it refuses, or nothing that we know.
fn last_word(input: &mut BytesMut, error: Malformed) -> Status {
    match Frame::decode(input) {
        Ok(Some(Frame::Close(status))) => Status { started: Started::No, ..*status },
        _ => refusal(error.to_string()),
    }
}

fn refusal(message: impl Into<String>) -> Status {
    Status::not_started(Code::FailedPrecondition, message)
}
