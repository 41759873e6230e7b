//! What is going to happen in a simulation? Its seed says all.

use crate::dice::between;
use homing_core::rng::Rng;
use std::time::Duration;

/// The fewest and the most hosts of a world.
pub const HOSTS: (usize, usize) = (2, 50);

/// A world to be simulated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all chance comes from.
    pub seed: u64,
    /// Hosts of members.
    pub hosts: usize,
    /// Further hosts, of visitors.
    pub visitors: usize,
    /// Storms, each with a calm after it.
    pub rounds: u32,
    /// How long a storm lasts.
    pub storm: Duration,
    /// Between two faults in a storm, on average.
    pub between_faults: Duration,
    /// Between two deeds of programs, on average.
    pub between_deeds: Duration,
    /// What may go wrong.
    pub faults: Vec<Fault>,
    /// What is wrong with the simulator itself, to see whether it notices.
    pub sabotage: Option<Sabotage>,
}

/// One kind of misfortune.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Fault {
    /// Two hosts no longer hear each other.
    Cut,
    /// One host no longer hears another, which still hears it.
    CutOneWay,
    /// A host hears nobody, and nobody hears it.
    Isolate,
    /// All cuts are over.
    Heal,
    /// A process stands still for a moment.
    Stall,
    /// A process stands still for up to 30 s.
    Pause,
    /// A process stands still for 11 min: longer than tombstones live.
    LongPause,
    /// A process stands still for 25 h: longer than headstones live.
    EndlessPause,
    /// A process is killed, and perhaps comes back.
    Crash,
    /// A host loses its power, and perhaps comes back.
    PowerLoss,
    /// Two hosts change their addresses, and their processes start anew.
    Takeover,
    /// A connection is reset.
    Reset,
    /// The network becomes better or worse.
    Weather,
    /// A process finishes its work, says goodbye and ends.
    Leave,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Cut,
        Self::CutOneWay,
        Self::Isolate,
        Self::Heal,
        Self::Stall,
        Self::Pause,
        Self::LongPause,
        Self::EndlessPause,
        Self::Crash,
        Self::PowerLoss,
        Self::Takeover,
        Self::Reset,
        Self::Weather,
        Self::Leave,
    ];
}

/// What a simulator can do wrong; each has to be noticed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sabotage {
    /// A reply never reaches its caller, nor does any other end of the call.
    LoseCall,
    /// A call is told to have ended once more.
    EndTwice,
    /// A handler is run once more.
    RunTwice,
    /// A program withdraws an offer, and its node is not told.
    KeepOffer,
    /// What a peer sent is never released.
    LeakBudget,
    /// Chance that does not come from the seed.
    Chance,
    /// An item of a stream never reaches its reader.
    LoseItem,
    /// What a reader has taken is never given back to its writer.
    KeepCredit,
    /// A reader leaves, and its link is not told.
    LeaveUntold,
    /// Who is to be replaced is killed.
    Kill,
    /// A program takes a message twice.
    TakeTwice,
    /// A subscription wants all, whatever its program said.
    HearAll,
    /// Of the messages that wait for a publisher the last goes first.
    LastFirst,
    /// A message goes to all members of a group.
    TellGroup,
    /// A message is lost on its way into a lane.
    LoseMessage,
    /// A publisher waits for nobody.
    Impatience,
    /// What an inlet has taken in is never given back to its publisher.
    KeepBatch,
    /// Nobody is told of a subscription.
    ListenSecretly,
}

impl Plan {
    /// The plan that a seed stands for; with `hosts`, of this size.
    pub fn draw(seed: u64, hosts: Option<usize>) -> Self {
        let mut rng = Rng::from_seed(seed);
        let size = match rng.below(32) {
            0 => 20 + rng.index(31),
            1..8 => 8 + rng.index(12),
            _ => 2 + rng.index(7),
        };
        let hosts = hosts.unwrap_or(size).clamp(HOSTS.0, HOSTS.1);
        let second = Duration::from_secs(1);
        let mut faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| rng.chance(1, 2)).collect();
        // A day of others' gossip takes its time: seldom, and in small worlds.
        if !(hosts <= 3 && rng.chance(1, 8)) {
            faults.retain(|fault| *fault != Fault::EndlessPause);
        }
        if !(hosts <= 8 && rng.chance(1, 3)) {
            faults.retain(|fault| *fault != Fault::LongPause);
        }
        // That nothing is lost where nothing goes wrong can be seen only there.
        if rng.chance(1, 8) {
            faults.clear();
        }
        Self {
            seed,
            hosts,
            visitors: if rng.chance(1, 3) { 1 + rng.index(3) } else { 0 },
            rounds: 1 + u32::try_from(rng.below(3)).expect("below three"),
            storm: between(&mut rng, second * 2, second * 30),
            between_faults: between(&mut rng, second / 4, second * 5),
            between_deeds: between(&mut rng, second / 200, second / 5),
            faults,
            sabotage: None,
        }
    }

    /// A small world in which these things may go wrong, and often do.
    pub fn small(seed: u64, hosts: usize, faults: &[Fault]) -> Self {
        Self {
            seed,
            hosts,
            visitors: 0,
            rounds: 1,
            storm: Duration::from_secs(10),
            between_faults: Duration::from_secs(1),
            between_deeds: Duration::from_millis(20),
            faults: faults.to_vec(),
            sabotage: None,
        }
    }

    /// The same world with a fault of the simulator.
    #[must_use]
    pub fn sabotaged(self, sabotage: Sabotage) -> Self {
        Self { sabotage: Some(sabotage), ..self }
    }
}
