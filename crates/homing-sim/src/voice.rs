//! Where does one end of a stream stand? What it has said, what it has heard, and what waits for its program.

use crate::plan::Sabotage;
use crate::script::{Cue, Finale, Half, ITEM_MAX, Lines, Script, describe, item};
use bytes::Bytes;
use homing_core::limits::WINDOW;
use homing_core::link::{Conversation, Item, Place, Receipt};
use homing_core::node::LinkId;
use homing_core::wire::Then;
use std::collections::{BTreeMap, VecDeque};

/// The ends of streams that a process has.
#[derive(Default)]
pub(crate) struct Voices {
    all: BTreeMap<VoiceId, Voice>,
    /// What is wrong with the simulator, to see whether it notices.
    pub(crate) sabotage: Option<Sabotage>,
}

/// Which end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum VoiceId {
    /// Ours, by the token of the attempt.
    Caller(u64),
    /// That of somebody else, by the number of the work.
    Answerer(u64),
}

/// What a program does next with its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    pub(crate) voice: VoiceId,
    pub(crate) deed: Deed,
}

/// One of both things that a program does with a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    Speak,
    /// It takes the item that waits longest.
    Take,
}

/// One end of a stream.
pub(crate) struct Voice {
    pub(crate) serial: u64,
    pub(crate) conn: LinkId,
    pub(crate) conversation: Conversation,
    pub(crate) script: Script,
    speaks: Half,
    mouth: Mouth,
    said: u32,
    /// Items that came.
    heard: u32,
    taken: u32,
    waiting: VecDeque<Item>,
    ear: Ear,
}

/// Whether the program speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mouth {
    /// Not yet.
    Closed,
    /// It is about to.
    Open,
    /// The link takes no more at present.
    Full,
    /// It has said all, or nobody listens.
    Done,
}

/// Whether the program listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ear {
    Open,
    /// All was said to it.
    Sated,
    /// It has had enough.
    Shut,
}

/// How a program goes on after it took an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// It takes the one that waits behind.
    Take,
    /// It waits.
    Wait,
    /// It hears no more.
    Discard,
}

impl Voices {
    pub(crate) fn insert(&mut self, id: VoiceId, voice: Voice) {
        self.all.insert(id, voice);
    }

    pub(crate) fn at(&mut self, id: VoiceId) -> Option<&mut Voice> {
        self.all.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: VoiceId) -> Option<Voice> {
        self.all.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// No end holds more than the window of its stream and one item.
    pub(crate) fn bounds(&self) -> Result<(), String> {
        for voice in self.all.values() {
            let held: usize = voice.waiting.iter().map(|item| item.payload.bytes.len()).sum();
            if held > WINDOW as usize + ITEM_MAX {
                return Err(format!("{held} bytes of stream {} wait for one reader", voice.serial));
            }
        }
        Ok(())
    }

    /// Whether the simulator does wrong here.
    pub(crate) fn is_sabotaged(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }
}

impl Voice {
    /// The end of who speaks this half.
    pub(crate) fn new(
        serial: u64,
        speaks: Half,
        (conn, conversation): (LinkId, Conversation),
    ) -> Self {
        let script = Script::of(serial);
        let silent = speaks == Half::Asking && script.asks == homing_core::link::Asks::All;
        let mouth = if silent { Mouth::Done } else { Mouth::Closed };
        Self {
            serial,
            conn,
            conversation,
            script,
            speaks,
            mouth,
            said: 0,
            heard: 0,
            taken: 0,
            waiting: VecDeque::new(),
            ear: Ear::Open,
        }
    }

    /// The program begins to speak; whether it does.
    pub(crate) fn begin(&mut self) -> bool {
        let begins = self.mouth == Mouth::Closed;
        if begins {
            self.mouth = Mouth::Open;
        }
        begins
    }

    /// Whether the answer waits until all is asked.
    pub(crate) fn waits_for_all(&self) -> bool {
        self.script.cue == Cue::AllAsked && self.ear == Ear::Open
    }

    /// What is to be said next; `None` when all items were said, and the end is due.
    pub(crate) fn line(&self) -> Option<(Bytes, Place)> {
        let lines = self.said_lines();
        let left = self.said < lines.items;
        left.then(|| (item(self.serial, self.speaks, self.said), lines.place(self.said)))
    }

    /// An item was said; whether another, or the end, is to follow.
    pub(crate) fn say(&mut self, place: Place) -> bool {
        self.said += 1;
        if place == Place::Last {
            self.mouth = Mouth::Done;
        }
        place == Place::Partial
    }

    /// It is to speak when there is room.
    pub(crate) fn wait_for_room(&mut self) {
        self.mouth = Mouth::Full;
    }

    /// There is room; whether it was waited for.
    pub(crate) fn has_room(&mut self) -> bool {
        let waited = self.mouth == Mouth::Full;
        if waited {
            self.mouth = Mouth::Open;
        }
        waited
    }

    pub(crate) fn fall_silent(&mut self) {
        self.mouth = Mouth::Done;
    }

    /// Whether it is about to speak.
    pub(crate) fn is_speaking(&self) -> bool {
        self.mouth == Mouth::Open
    }

    /// An item came; whether it is the only one that waits.
    ///
    /// # Errors
    /// It is not the one that has to come.
    pub(crate) fn hear(&mut self, came: Item) -> Result<bool, String> {
        let place = match came.then {
            Then::Next => Place::Partial,
            Then::End => Place::Last,
            Then::Rest => return Err(format!("stream {} comes in pieces", self.serial)),
        };
        self.expect(&came.payload.bytes, place)?;
        self.heard += 1;
        if self.ear == Ear::Shut {
            return Err(format!("stream {} goes on for who hears no more", self.serial));
        }
        self.waiting.push_back(came);
        Ok(self.waiting.len() == 1)
    }

    /// The program takes an item.
    pub(crate) fn take(&mut self) -> Option<(Receipt, Next)> {
        let item = self.waiting.pop_front()?;
        self.taken += 1;
        if self.speaks == Half::Answering && self.taken >= self.script.heeded {
            self.ear = Ear::Shut;
            self.waiting.clear();
            return Some((item.receipt, Next::Discard));
        }
        let next = if self.waiting.is_empty() { Next::Wait } else { Next::Take };
        Some((item.receipt, next))
    }

    /// All was asked.
    ///
    /// # Errors
    /// That is not so.
    pub(crate) fn hear_all(&mut self) -> Result<(), String> {
        if self.ear == Ear::Shut {
            return Ok(());
        }
        self.ear = Ear::Sated;
        let (heard, items) = (self.heard, self.heard_lines().items);
        if heard == items {
            return Ok(());
        }
        Err(format!("stream {}: all is asked, but {heard} items of {items} came", self.serial))
    }

    /// Whether anything came.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard > 0
    }

    /// The stream has ended well: with a last item, or without.
    ///
    /// # Errors
    /// It was not to end so, or something is missing.
    pub(crate) fn end(&mut self, last: Option<&Bytes>) -> Result<(), String> {
        if let Some(last) = last {
            self.expect(last, Place::Last)?;
            self.heard += 1;
        }
        let how = if last.is_some() { Finale::Last } else { Finale::Nothing };
        let Lines { items, finale, .. } = *self.heard_lines();
        if (finale, items) == (how, self.heard) {
            return Ok(());
        }
        let (serial, heard) = (self.serial, self.heard);
        Err(format!(
            "stream {serial} ended with {how:?} after {heard} items, not with {finale:?} after {items}"
        ))
    }

    /// The lines that this end says.
    pub(crate) fn said_lines(&self) -> &Lines {
        self.script.lines(self.speaks)
    }

    /// The lines that this end hears.
    pub(crate) fn heard_lines(&self) -> &Lines {
        self.script.lines(self.hears())
    }

    fn hears(&self) -> Half {
        match self.speaks {
            Half::Asking => Half::Answering,
            Half::Answering => Half::Asking,
        }
    }

    fn expect(&self, bytes: &Bytes, place: Place) -> Result<(), String> {
        let due = item(self.serial, self.hears(), self.heard);
        let due_place = self.heard_lines().place(self.heard);
        if (&due, due_place) == (bytes, place) {
            return Ok(());
        }
        let (serial, came, due) = (self.serial, describe(bytes), describe(&due));
        Err(format!(
            "stream {serial} is out of order: {came}, {place:?} came, {due}, {due_place:?} was due"
        ))
    }
}
