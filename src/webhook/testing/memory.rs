//! The store's part of delivery in memory, with the same words, for tests of the loop alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::model::time::after;
use crate::model::{Change, ChangeId, Endpoint, EndpointId, EndpointState, Shard};
use crate::webhook::queue::{Answered, Claim, Queue, QueueError};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Default)]
struct Pending {
    changes: Vec<ChangeId>,
    due: Option<Timestamp>,
    token: String,
    attempts: u32,
}

#[derive(Default)]
struct State {
    endpoints: HashMap<EndpointId, Endpoint>,
    changes: HashMap<ChangeId, Change>,
    pending: BTreeMap<(EndpointId, String), Pending>,
    paused: HashMap<EndpointId, Timestamp>,
    dead: Vec<(Claim, String)>,
    delivered: Vec<Claim>,
    released: usize,
    erased: usize,
    tokens: u64,
    sequence: u64,
}

#[derive(Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    wake: Arc<Notify>,
    broken: Arc<AtomicBool>,
    panicking: Arc<AtomicBool>,
}

impl Memory {
    pub fn endpoint_at(&self, n: u8, url: &str) -> EndpointId {
        let id = EndpointId::from_bytes([n; 16]);
        let endpoint = Endpoint {
            id: id.clone(),
            shop: "shop".parse().unwrap(),
            url: url.to_owned(),
            sealed_secret: String::new(),
            events: vec!["*".to_owned()],
            state: EndpointState::Enabled,
            disabled_reason: None,
            undelivered_since: None,
            description: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        self.state.lock().unwrap().endpoints.insert(id.clone(), endpoint);
        id
    }

    pub fn tell(&self, endpoint: &EndpointId, subject: &str) -> ChangeId {
        let mut state = self.state.lock().unwrap();
        state.sequence += 1;
        let sequence = state.sequence;
        let id = ChangeId { shard: Shard::new(1), shop: 1, ms: sequence, n: 0 };
        let change = Change {
            id: id.clone(),
            version: 1,
            kind: "tracker.delivered".to_owned(),
            shop: "shop".parse().unwrap(),
            subject: subject.to_owned(),
            sequence,
            at: Timestamp::UNIX_EPOCH,
            data: format!(r#"{{"sequence":{sequence},"subject":"{subject}"}}"#),
        };
        state.changes.insert(id.clone(), change);
        let pending = state.pending.entry((endpoint.clone(), subject.to_owned())).or_default();
        pending.changes.push(id.clone());
        pending.due.get_or_insert(Timestamp::MIN);
        self.wake.notify_one();
        id
    }

    pub fn set_state(&self, id: &EndpointId, to: EndpointState) {
        self.state.lock().unwrap().endpoints.get_mut(id).unwrap().state = to;
    }

    pub fn break_it(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    pub fn panic_on_secrets(&self) {
        self.panicking.store(true, Ordering::SeqCst);
    }

    pub fn delivered_count(&self) -> usize {
        self.state.lock().unwrap().delivered.len()
    }

    pub fn dead_list(&self) -> Vec<(Claim, String)> {
        self.state.lock().unwrap().dead.clone()
    }

    pub fn released_count(&self) -> usize {
        self.state.lock().unwrap().released
    }

    pub fn endpoint_now(&self, id: &EndpointId) -> Endpoint {
        self.state.lock().unwrap().endpoints[id].clone()
    }

    pub fn paused_until(&self, id: &EndpointId) -> Option<Timestamp> {
        self.state.lock().unwrap().paused.get(id).copied()
    }

    pub fn attempts_of(&self, endpoint: &EndpointId, subject: &str) -> u32 {
        self.state.lock().unwrap().pending.get(&(endpoint.clone(), subject.to_owned())).map_or(0, |p| p.attempts)
    }

    fn whole(&self) -> Answered<()> {
        if self.broken.load(Ordering::SeqCst) { Err(QueueError("down".into())) } else { Ok(()) }
    }

    /// Runs `then` if the claim still holds.
    fn holding(&self, claim: &Claim, then: impl FnOnce(&mut State)) -> Answered<bool> {
        self.whole()?;
        let mut state = self.state.lock().unwrap();
        let key = (claim.endpoint.clone(), claim.subject.clone());
        let holds = state.pending.get(&key).is_some_and(|pending| pending.token == claim.token);
        if holds {
            then(&mut state);
        }
        Ok(holds)
    }

    fn take_off(state: &mut State, claim: &Claim) {
        let key = (claim.endpoint.clone(), claim.subject.clone());
        let pending = state.pending.get_mut(&key).unwrap();
        pending.changes.remove(0);
        *pending =
            Pending { changes: std::mem::take(&mut pending.changes), due: Some(Timestamp::MIN), ..Pending::default() };
        if pending.changes.is_empty() {
            state.pending.remove(&key);
        }
    }
}

impl Queue for Memory {
    async fn claim_deliveries(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
        cap_of: &(dyn Fn(&EndpointId) -> usize + Sync),
    ) -> Answered<Vec<Claim>> {
        self.whole()?;
        let mut guard = self.state.lock().unwrap();
        let state = &mut *guard;
        let mut left: HashMap<EndpointId, usize> = HashMap::new();
        let mut claims = Vec::new();
        for ((endpoint, subject), pending) in &mut state.pending {
            let free = left.entry(endpoint.clone()).or_insert_with(|| cap_of(endpoint));
            let paused = state.paused.get(endpoint).is_some_and(|until| *until > now);
            if claims.len() >= limit || *free == 0 || paused || pending.due.is_none_or(|due| due > now) {
                continue;
            }
            *free -= 1;
            state.tokens += 1;
            pending.token = state.tokens.to_string();
            pending.due = Some(after(now, SignedDuration::try_from(lease).unwrap()));
            claims.push(Claim {
                endpoint: endpoint.clone(),
                subject: subject.clone(),
                change: pending.changes[0].clone(),
                token: pending.token.clone(),
                attempts: pending.attempts,
                first_attempt_at: None,
            });
        }
        Ok(claims)
    }

    async fn delivered(&self, claim: &Claim, _at: Timestamp) -> Answered<bool> {
        self.holding(claim, |state| {
            Self::take_off(state, claim);
            state.delivered.push(claim.clone());
        })
    }

    async fn delivery_failed(
        &self,
        claim: &Claim,
        _error: &str,
        retry_at: Timestamp,
        _at: Timestamp,
    ) -> Answered<bool> {
        self.holding(claim, |state| {
            let pending = state.pending.get_mut(&(claim.endpoint.clone(), claim.subject.clone())).unwrap();
            pending.attempts += 1;
            pending.due = Some(retry_at);
            pending.token.clear();
        })
    }

    async fn delivery_dead(&self, claim: &Claim, error: &str, _at: Timestamp) -> Answered<bool> {
        self.holding(claim, |state| {
            Self::take_off(state, claim);
            state.dead.push((claim.clone(), error.to_owned()));
        })
    }

    async fn delivery_erased(&self, claim: &Claim, _at: Timestamp) -> Answered<bool> {
        self.holding(claim, |state| {
            Self::take_off(state, claim);
            state.erased += 1;
        })
    }

    async fn release(&self, claim: &Claim) -> Answered<()> {
        self.holding(claim, |state| {
            state.released += 1;
            let pending = state.pending.get_mut(&(claim.endpoint.clone(), claim.subject.clone())).unwrap();
            pending.due = Some(Timestamp::MIN);
            pending.token.clear();
        })?;
        Ok(())
    }

    async fn pause_endpoint(&self, endpoint: &EndpointId, until: Timestamp) -> Answered<()> {
        self.whole()?;
        let mut state = self.state.lock().unwrap();
        let paused = state.paused.entry(endpoint.clone()).or_insert(until);
        *paused = until.max(*paused);
        Ok(())
    }

    async fn disable_endpoint(&self, endpoint: &EndpointId, reason: &str) -> Answered<()> {
        self.whole()?;
        let mut state = self.state.lock().unwrap();
        let document = state.endpoints.get_mut(endpoint).unwrap();
        document.state = EndpointState::Disabled;
        document.disabled_reason = Some(reason.to_owned());
        state.pending.retain(|(owner, _), _| owner != endpoint);
        Ok(())
    }

    async fn endpoint(&self, id: &EndpointId) -> Answered<Option<Endpoint>> {
        self.whole()?;
        Ok(self.state.lock().unwrap().endpoints.get(id).cloned())
    }

    async fn change(&self, id: &ChangeId) -> Answered<Option<Change>> {
        self.whole()?;
        Ok(self.state.lock().unwrap().changes.get(id).cloned())
    }

    fn secret_of(&self, _endpoint: &Endpoint) -> Answered<SecretString> {
        assert!(!self.panicking.load(Ordering::SeqCst), "as the test wants");
        Ok(SECRET.to_owned().into())
    }

    async fn woken(&self) {
        self.wake.notified().await;
    }
}
