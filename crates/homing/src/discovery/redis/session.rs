//! How does a node talk to a Redis? Over one connection that is given up at the first trouble.

use super::bounded::Bounded;
use super::entry::{Entry, Scope};
use crate::discovery::RedisUrl;
use crate::discovery::redis_url::BAD_PASSWORD;
use homing_core::limits::{REDIS_ANSWER_MAX, REDIS_SAMPLE};
use homing_core::name::MeshName;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError,
};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// For a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection to a Redis, and what this node wrote over it.
pub(super) struct Session {
    connection: MultiplexedConnection,
    key: String,
    scope: Scope,
    written: Option<String>,
    /// Moves what is asked and answered; ends with the session.
    _driver: JoinSet<()>,
}

impl Session {
    /// Connects, and shows the password.
    ///
    /// # Errors
    /// Why there is no connection, for people.
    pub(super) async fn open(url: &RedisUrl, mesh: &MeshName) -> Result<Self, String> {
        let opening = timeout(PATIENCE, Self::open_now(url, mesh)).await;
        opening.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    }

    async fn open_now(url: &RedisUrl, mesh: &MeshName) -> Result<Self, String> {
        let stream = TcpStream::connect((url.host.as_str(), url.port)).await;
        let stream = stream.map_err(|error| format!("no connection: {error}"))?;
        let there = stream.peer_addr().map_err(|error| format!("no connection: {error}"))?;
        let scope = if there.ip().is_loopback() { Scope::Host } else { Scope::Network };
        // What is asked is small, and waited for. Where it cannot be said so, it only takes longer.
        let _ = stream.set_nodelay(true);
        let mut who =
            RedisConnectionInfo::default().set_db(url.database.into()).set_skip_set_lib_name();
        if let Some(user) = &url.user {
            who = who.set_username(user);
        }
        if let Some(password) = &url.password {
            who = who.set_password(password);
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let stream = Bounded::new(stream, REDIS_ANSWER_MAX);
        let opened = MultiplexedConnection::new_with_config(&who, stream, config).await;
        let (connection, driver) = opened.map_err(|error| plain(&error))?;
        let mut driving = JoinSet::new();
        driving.spawn(driver);
        let key = format!("homing:{mesh}:nodes");
        Ok(Self { connection, key, scope, written: None, _driver: driving })
    }

    /// From where this Redis can be asked.
    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// Writes `own` for `life`, takes away what has ended, and reads a sample; without an entry only reads.
    ///
    /// # Errors
    /// Why it did not work, for people. The connection is of no more use.
    pub(super) async fn exchange(
        &mut self,
        own: Option<&Entry>,
        life: Duration,
    ) -> Result<Vec<Vec<u8>>, String> {
        let mut clock = redis::pipe();
        clock.cmd("TIME");
        let ((now, _),): ((u64, u64),) = self.ask(&clock).await?;
        let life = life.as_secs().max(1);
        let (key, until) = (self.key.clone(), now + life);
        let mut question = redis::pipe();
        if let Some(own) = own {
            let text = own.text();
            if let Some(before) = self.written.take().filter(|before| *before != text) {
                question.cmd("ZREM").arg(&key).arg(before).ignore();
            }
            question.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg(format!("({now}")).ignore();
            // Nodes whose lives are of another version's length count, too; what is for ever does not.
            let beyond = format!("({}", until + 10 * life);
            question.cmd("ZREMRANGEBYSCORE").arg(&key).arg(beyond).arg("+inf").ignore();
            question.cmd("ZADD").arg(&key).arg(until).arg(&text).ignore();
            question.cmd("EXPIRE").arg(&key).arg(2 * life).ignore();
            self.written = Some(text);
        }
        question.cmd("ZRANDMEMBER").arg(&key).arg(REDIS_SAMPLE).arg("WITHSCORES");
        let (found,): (Vec<(Vec<u8>, f64)>,) = self.ask(&question).await?;
        let is_alive = |(_, until): &(Vec<u8>, f64)| *until >= seconds(now);
        Ok(found.into_iter().filter(is_alive).map(|(entry, _)| entry).collect())
    }

    /// Takes this node's entry away.
    pub(super) async fn withdraw(mut self) -> Result<(), String> {
        let Some(text) = self.written.take() else { return Ok(()) };
        let mut question = redis::pipe();
        question.cmd("ZREM").arg(&self.key).arg(text).ignore();
        self.ask(&question).await
    }

    async fn ask<T: FromRedisValue>(&mut self, question: &Pipeline) -> Result<T, String> {
        question.query_async(&mut self.connection).await.map_err(|error| plain(&error))
    }
}

/// A score of Redis.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are exact for millions of years"
)]
fn seconds(time: u64) -> f64 {
    time as f64
}

/// What Redis said, for people; never the password, which it does not repeat.
fn plain(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::AuthenticationFailed => format!("{BAD_PASSWORD}: {error}"),
        _ => error.to_string(),
    }
}
