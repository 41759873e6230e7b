//! May these two nodes talk?
//!
//! ```text
//! dialler                      acceptor
//!    | -------- Hello ---------> |   versions, features, mesh, identity, claim, windows
//!    | <------- Hello ---------- |
//!    | -------- Proof ---------> |   checked before the acceptor proves anything itself
//!    | <------- Proof ---------- |
//! ```
//! Nothing but these is read before both proofs are checked (decisions B6); time and size are bounded. A proof covers
//! both Hellos and, where the link goes over an encrypted channel, that channel and the certificates at its ends: it is
//! worth nothing on another.

use super::Channel;
use crate::crypto::{Crypto, Exchange, KeyId, Role};
use crate::id::NodeId;
use crate::limits::{CHUNK_MAX, HELLO_MAX};
use crate::talk::{Code, Started, Status};
use crate::wire::hello::{FEATURES, VERSION_MAX, VERSION_MIN};
use crate::wire::{Frame, Hello, Malformed, Reader, Windows};
use bytes::BytesMut;
use std::sync::Arc;

/// What a side says, or concludes, whose mesh has another name.
pub const OTHER_MESH: &str = "the other side is of another mesh";

/// A handshake under way, from one side.
pub(super) struct Handshake {
    role: Role,
    mine: Box<Hello>,
    expect: Option<NodeId>,
    crypto: Arc<dyn Crypto>,
    channel: Channel,
    step: Step,
}

enum Step {
    AwaitHello,
    AwaitProof { theirs: Box<Hello>, key: KeyId, transcript: Transcript },
    Done,
}

/// The digests of the dialler's Hello and of the acceptor's, and the binding of the channel.
type Transcript = [u8; 96];

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
        let channel = Channel::default();
        Self { role, mine, expect, crypto, channel, step: Step::AwaitHello }
    }

    /// Notes what the link goes over. Of no use once the peer's Hello was read.
    pub(super) fn handle_channel(&mut self, channel: Channel) {
        self.channel = channel;
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
        let decoded = match Hello::decode(input) {
            Err(_) if self.role == Role::Dialler && may_be_last_word(input) => return Ok(false),
            decoded => decoded.map_err(|error| last_word(input, error))?,
        };
        let Some((theirs, length)) = decoded else { return Ok(false) };
        let heard = input.split_to(length);
        let mut said = Vec::new();
        self.mine.encode(&mut said);
        let key = self.common_key(&theirs)?;
        if let Err(status) = self.check(&theirs) {
            // A member of the mesh is told who refuses it; a stranger learns nothing.
            if self.role == Role::Acceptor {
                out.extend_from_slice(&said);
            }
            return Err(status);
        }
        let transcript = match self.role {
            Role::Dialler => self.transcript(&said, &heard),
            Role::Acceptor => self.transcript(&heard, &said),
        };
        match self.role {
            Role::Dialler => self.prove(key, &transcript, out)?,
            Role::Acceptor => out.extend_from_slice(&said),
        }
        self.step = Step::AwaitProof { theirs: Box::new(theirs), key, transcript };
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
        let step = std::mem::replace(&mut self.step, Step::Done);
        let Step::AwaitProof { theirs, key, transcript } = step else {
            return Err(refusal("handshake: a proof out of turn"));
        };
        let role = match self.role {
            Role::Dialler => Role::Acceptor,
            Role::Acceptor => Role::Dialler,
        };
        let exchange = Exchange { key, role, transcript: &transcript };
        if !self.crypto.check(&exchange, &theirs.peer.key, &proof) {
            let message = "the other side does not hold this mesh's key, or not that of its id";
            return Err(Status::not_started(Code::Unauthenticated, message));
        }
        if self.role == Role::Acceptor {
            self.prove(key, &transcript, out)?;
        }
        Ok(Progress::Established(theirs))
    }

    fn prove(&self, key: KeyId, transcript: &Transcript, out: &mut Vec<u8>) -> Result<(), Status> {
        let exchange = Exchange { key, role: self.role, transcript };
        let proof = self.crypto.prove(&exchange);
        let proof = proof.ok_or_else(|| refusal(format!("the mesh key {key} was taken away")))?;
        Frame::Proof(Box::new(proof)).encode(out);
        Ok(())
    }

    fn transcript(&self, dialler: &[u8], acceptor: &[u8]) -> Transcript {
        let mut transcript = [0; 96];
        transcript[..32].copy_from_slice(&self.crypto.digest(dialler));
        transcript[32..64].copy_from_slice(&self.crypto.digest(acceptor));
        transcript[64..].copy_from_slice(&self.channel.binding);
        transcript
    }

    /// The key to prove: the first of the dialler's that the acceptor holds too. Without one they are strangers.
    fn common_key(&self, theirs: &Hello) -> Result<KeyId, Status> {
        if theirs.mesh != self.mine.mesh {
            return Err(refusal(OTHER_MESH));
        }
        let (dialler, acceptor) = match self.role {
            Role::Dialler => (&self.mine.keys, &theirs.keys),
            Role::Acceptor => (&theirs.keys, &self.mine.keys),
        };
        let common = dialler.iter().find(|key| acceptor.contains(key)).copied();
        common.ok_or_else(|| {
            let (mine, theirs) = (listed(&self.mine.keys), listed(&theirs.keys));
            let message = match self.role {
                // A stranger may ask: it is not told which.
                Role::Acceptor => "no mesh key in common".to_owned(),
                Role::Dialler => {
                    format!(
                        "no mesh key in common: this side holds {mine}, the other side {theirs}"
                    )
                }
            };
            Status::not_started(Code::Unauthenticated, message)
        })
    }

    fn check(&self, theirs: &Hello) -> Result<(), Status> {
        let (mine, peer) = (&self.mine, &theirs.peer);
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
        if self.channel.key.is_some_and(|key| key != peer.key) {
            let message = "the other side's certificate is not that of its id";
            return Err(Status::not_started(Code::Unauthenticated, message));
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

/// The keys by their ids, for people.
fn listed(keys: &[KeyId]) -> String {
    let named = keys.iter().filter(|key| **key != KeyId::NONE).map(KeyId::to_string);
    match named.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "none".into(),
        keys => keys,
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

/// Whether this is the beginning of a last word, the rest of which is still to come.
fn may_be_last_word(input: &BytesMut) -> bool {
    let mut reader = Reader::new(input);
    let Ok(length) = reader.varint32() else { return input.len() < 2 };
    match reader.u8() {
        Ok(kind) => kind == CLOSE && reader.rest().len() + 1 < length as usize,
        Err(_) => true,
    }
}

/// The kind of a [`Frame::Close`].
const CLOSE: u8 = 12;

fn refusal(message: impl Into<String>) -> Status {
    Status::not_started(Code::FailedPrecondition, message)
}
