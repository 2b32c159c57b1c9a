//! Access tokens, and the stand-ins of the carriers that ask for them (OAuth2).

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio_util::sync::CancellationToken;

use super::{Desk, Options, StandIn, Tongue};
use crate::simulator::chance::Chance;
use crate::simulator::time::{Moment, SimClock};
use crate::simulator::world::World;

/// More than this many live tokens are never needed; the oldest go first.
const KEPT: usize = 1_000;

#[derive(Debug)]
struct Safe {
    chance: Chance,
    valid: HashMap<String, Moment>,
}

/// The tokens that one stand-in gave out. Cheap to share.
#[derive(Debug, Clone)]
pub struct Tokens {
    clock: SimClock,
    life: Duration,
    safe: Arc<Mutex<Safe>>,
}

impl Tokens {
    pub fn new(clock: SimClock, life: Duration) -> Self {
        let seed = clock.wall(Moment::default()).as_microsecond().cast_unsigned();
        Self { clock, life, safe: Arc::new(Mutex::new(Safe { chance: Chance::new(seed), valid: HashMap::new() })) }
    }

    fn safe(&self) -> MutexGuard<'_, Safe> {
        self.safe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fresh token.
    pub fn issue(&self) -> String {
        let until = self.clock.now().plus(self.life);
        let mut safe = self.safe();
        let token = format!("{:016x}{:016x}", safe.chance.bits(), safe.chance.bits());
        if safe.valid.len() >= KEPT
            && let Some(oldest) = safe.valid.iter().min_by_key(|(_, until)| **until).map(|(token, _)| token.clone())
        {
            safe.valid.remove(&oldest);
        }
        safe.valid.insert(token.clone(), until);
        token
    }

    /// How long a token lives, in seconds.
    pub fn life_seconds(&self) -> u64 {
        self.life.as_secs()
    }

    /// True while a token may be used.
    pub fn accepts(&self, token: &str) -> bool {
        let now = self.clock.now();
        self.safe().valid.get(token).is_some_and(|until| now < *until)
    }

    /// No token given out so far may be used any more.
    pub fn revoke(&self) {
        self.safe().valid.clear();
    }
}

/// A stand-in that serves only who shows a token of its own.
#[derive(Clone)]
pub(super) struct Counter {
    pub desk: Desk,
    pub tokens: Tokens,
}

impl Counter {
    pub fn new(world: Arc<World>, options: &Options, tongue: impl Tongue + 'static) -> Self {
        let tokens = Tokens::new(world.clock(), options.token_life);
        Self { desk: Desk::new(world, options, tongue), tokens }
    }

    /// Opens it for the one client that it knows, by id and secret.
    pub async fn open(
        self,
        code: &'static str,
        client: (&str, &str),
        options: &Options,
        router: Router<Self>,
        stop: CancellationToken,
    ) -> io::Result<StandIn> {
        let (id, secret) = client;
        let Self { desk, tokens } = self.clone();
        let mut stand_in = desk.open(code, options, router.with_state(self), stop).await?;
        stand_in.credentials = vec![("client_id", id.to_owned()), ("client_secret", secret.to_owned())];
        stand_in.tokens = Some(tokens);
        Ok(stand_in)
    }
}
