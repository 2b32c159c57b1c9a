//! Claiming due deliveries so that nobody is hidden behind anybody.
//!
//! Each shard says in `ready` which endpoints have something due. From a window of them (at a random place where
//! there are many) the free slots are dealt out one by one, endpoint after endpoint and shard after shard; so
//! an endpoint with a backlog of a million gets no more than its turn.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answers::those_that_came;
use super::{Claim, millis};
use crate::model::time::after;
use crate::model::{EndpointId, Shard};
use crate::store::{Store, StoreError, keys, scripts};

/// Endpoints looked at in one shard in one round.
const WINDOW: u64 = 100;
/// Claims of one endpoint in one shard in one call: a script must stay short.
const MOST_OF_A_CALL: usize = 100;
/// Rounds of one claim: each looks again at what the one before left.
const ROUNDS: usize = 4;

/// Where an endpoint has something due.
type Candidates = BTreeMap<EndpointId, Vec<Shard>>;

impl Store {
    /// Claims up to `limit` due deliveries for `lease`. `cap_of` tells how many more an endpoint may have in flight
    /// here. At most one change of an endpoint and subject is ever claimed at a time.
    ///
    /// `lease` must be longer than an attempt can take; a claim not settled by then goes to whoever asks next.
    pub async fn claim_deliveries(
        &self,
        now: Timestamp,
        limit: usize,
        lease: Duration,
        cap_of: &(dyn Fn(&EndpointId) -> usize + Sync),
    ) -> Result<Vec<Claim>, StoreError> {
        let lease_end = after(now, SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX));
        let mut claims: Vec<Claim> = Vec::new();
        let mut taken: BTreeMap<EndpointId, usize> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let (candidates, all_seen) = self.ready_endpoints(now).await?;
            let free: BTreeMap<EndpointId, usize> = candidates
                .keys()
                .map(|endpoint| {
                    let in_flight = taken.get(endpoint).copied().unwrap_or(0);
                    (endpoint.clone(), cap_of(endpoint).saturating_sub(in_flight))
                })
                .collect();
            let shares = deal(&candidates, &free, limit.saturating_sub(claims.len()));
            let nothing_to_take = shares.is_empty();
            let mut got: BTreeMap<EndpointId, usize> = BTreeMap::new();
            if !nothing_to_take {
                for claim in self.claim_shares(&shares, now, lease_end).await? {
                    *got.entry(claim.endpoint.clone()).or_default() += 1;
                    *taken.entry(claim.endpoint.clone()).or_default() += 1;
                    claims.push(claim);
                }
            }
            // Another look finds something only where an endpoint may have more, or was not looked at.
            let room_left = free.iter().any(|(endpoint, free)| *free > got.get(endpoint).copied().unwrap_or(0));
            if claims.len() >= limit || (all_seen && (nothing_to_take || !room_left)) {
                break;
            }
        }
        Ok(claims)
    }

    /// Endpoints with something due, by a window of each shard; and whether the windows showed all there are.
    async fn ready_endpoints(&self, now: Timestamp) -> Result<(Candidates, bool), StoreError> {
        let connection = self.connection();
        let start = random_below(64);
        let shards: Vec<Shard> =
            (0..64_u8).map(|n| Shard::new(n.wrapping_add(u8::try_from(start).unwrap_or(0)))).collect();
        // Nearly always all there are fit into a window: one look is enough.
        let window = |shard: Shard, offset: u64, length: u64| {
            let mut command = redis::cmd("ZRANGEBYSCORE");
            command.arg(keys::ready(shard)).arg("-inf").arg(now.as_millisecond());
            command.arg("LIMIT").arg(offset).arg(length);
            command
        };
        let commands: Vec<_> = shards.iter().map(|shard| window(*shard, 0, WINDOW + 1)).collect();
        let firsts: Vec<Option<Vec<String>>> = those_that_came(connection.each(&commands).await?)?;
        let mut candidates = Candidates::new();
        let mut crowded = Vec::new();
        for (shard, names) in shards.into_iter().zip(firsts) {
            match names {
                Some(names) if names.len() as u64 <= WINDOW => add(&mut candidates, shard, names),
                Some(_) => crowded.push(shard),
                None => {}
            }
        }
        if crowded.is_empty() {
            return Ok((candidates, true));
        }
        for (shard, names) in self.random_windows(&crowded, now, window).await? {
            add(&mut candidates, shard, names);
        }
        Ok((candidates, false))
    }

    /// A window at a random place of each of these shards; one that runs over the end goes on at the start.
    async fn random_windows(
        &self,
        shards: &[Shard],
        now: Timestamp,
        window: impl Fn(Shard, u64, u64) -> redis::Cmd,
    ) -> Result<Vec<(Shard, Vec<String>)>, StoreError> {
        let connection = self.connection();
        let count = |shard: &Shard| {
            let mut command = redis::cmd("ZCOUNT");
            command.arg(keys::ready(*shard)).arg("-inf").arg(now.as_millisecond());
            command
        };
        let counts: Vec<_> = shards.iter().map(count).collect();
        let counts: Vec<Option<u64>> = those_that_came(connection.each(&counts).await?)?;
        let mut commands = Vec::new();
        let mut asked = Vec::new();
        for (shard, count) in shards.iter().zip(counts) {
            let Some(count) = count.filter(|count| *count > 0) else { continue };
            let offset = random_below(count);
            let wrapped = (offset + WINDOW).saturating_sub(count).min(offset);
            for (offset, length) in [(offset, WINDOW), (0, wrapped)] {
                if length > 0 {
                    commands.push(window(*shard, offset, length));
                    asked.push(*shard);
                }
            }
        }
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<Option<Vec<String>>> = those_that_came(connection.each(&commands).await?)?;
        Ok(asked.into_iter().zip(names).map(|(shard, names)| (shard, names.unwrap_or_default())).collect())
    }

    async fn claim_shares(
        &self,
        shares: &[(EndpointId, Shard, usize)],
        now: Timestamp,
        lease_end: Timestamp,
    ) -> Result<Vec<Claim>, StoreError> {
        let token = random_token()?;
        let calls: Vec<scripts::Call> = shares
            .iter()
            .enumerate()
            .map(|(n, (endpoint, shard, count))| {
                scripts::CLAIM
                    .on(&[keys::deliver(*shard, endpoint), keys::ready(*shard), keys::pauses(*shard)])
                    .arg(endpoint.to_string())
                    .arg(now.as_millisecond())
                    .arg(lease_end.as_millisecond())
                    .arg((*count).min(MOST_OF_A_CALL))
                    .arg(format!("{token}-{n}"))
                    .arg(keys::pending(*shard, endpoint, ""))
                    .arg(keys::attempt(*shard, endpoint, ""))
            })
            .collect();
        let answers = scripts::try_each(&self.connection(), &calls).await?;
        let answers: Vec<Option<Vec<[String; 5]>>> = those_that_came(answers)?;
        let mut claims = Vec::new();
        for ((endpoint, ..), found) in shares.iter().zip(answers) {
            for [tracker, change, token, attempts, first_at] in found.unwrap_or_default() {
                let Ok(change) = change.parse() else {
                    tracing::error!(event = "store_damaged", endpoint = %endpoint, change, "not a change's id");
                    continue;
                };
                claims.push(Claim {
                    endpoint: endpoint.clone(),
                    subject: tracker,
                    change,
                    token,
                    attempts: attempts.parse().unwrap_or(0),
                    first_attempt_at: millis(&first_at),
                });
            }
        }
        Ok(claims)
    }
}

fn add(candidates: &mut Candidates, shard: Shard, names: Vec<String>) {
    for name in names {
        match name.parse::<EndpointId>() {
            Ok(endpoint) => candidates.entry(endpoint).or_default().push(shard),
            Err(error) => tracing::error!(event = "store_damaged", key = keys::ready(shard), %error),
        }
    }
}

/// Deals `limit` claims out, one an endpoint a turn, each endpoint's over its shards in turn.
fn deal(candidates: &Candidates, free: &BTreeMap<EndpointId, usize>, limit: usize) -> Vec<(EndpointId, Shard, usize)> {
    let mut left: Vec<(&EndpointId, &Vec<Shard>, usize, usize)> = candidates
        .iter()
        .map(|(endpoint, shards)| (endpoint, shards, free.get(endpoint).copied().unwrap_or(0), 0))
        .filter(|(_, shards, free, _)| *free > 0 && !shards.is_empty())
        .collect();
    // Where not all get a turn, it is not always the first of the alphabet who do.
    if !left.is_empty() {
        let first = random_below(left.len() as u64);
        left.rotate_left(usize::try_from(first).unwrap_or(0));
    }
    let mut dealt = 0;
    while dealt < limit {
        let before = dealt;
        for (_, _, free, got) in &mut left {
            if dealt < limit && *got < *free {
                *got += 1;
                dealt += 1;
            }
        }
        if dealt == before {
            break;
        }
    }
    let mut shares = Vec::new();
    for (endpoint, shards, _, got) in left {
        for (n, shard) in shards.iter().enumerate().take(got) {
            let share = got / shards.len() + usize::from(n < got % shards.len());
            shares.push((endpoint.clone(), *shard, share));
        }
    }
    shares
}

/// A number below `end`, evenly enough. Without randomness, 0: fairness suffers, nothing else.
fn random_below(end: u64) -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % end.max(1),
        Err(_) => 0,
    }
}

fn random_token() -> Result<String, StoreError> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Refused(format!("no random numbers: {error}")))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(n: u8) -> EndpointId {
        EndpointId::from_bytes([n; 16])
    }

    fn dealt(backlogs: &[(u8, usize, usize)], limit: usize) -> BTreeMap<EndpointId, usize> {
        let shards = |count: usize| (0..u8::try_from(count).unwrap()).map(Shard::new).collect();
        let candidates = backlogs.iter().map(|(n, shards_of, _)| (endpoint(*n), shards(*shards_of))).collect();
        let free = backlogs.iter().map(|(n, _, free)| (endpoint(*n), *free)).collect();
        let mut sums = BTreeMap::new();
        for (endpoint, _, count) in deal(&candidates, &free, limit) {
            assert!(count > 0);
            *sums.entry(endpoint).or_default() += count;
        }
        sums
    }

    #[test]
    fn everybody_gets_a_turn_before_anybody_gets_a_second() {
        let sums = dealt(&[(1, 64, 1000), (2, 1, 1000), (3, 3, 2)], 12);
        assert_eq!(sums[&endpoint(1)], 5);
        assert_eq!(sums[&endpoint(2)], 5);
        assert_eq!(sums[&endpoint(3)], 2);
    }

    #[test]
    fn nobody_gets_more_than_its_free_slots() {
        let sums = dealt(&[(1, 64, 3), (2, 2, 0)], 100);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[&endpoint(1)], 3);
    }

    #[test]
    fn nothing_is_dealt_where_nothing_is_wanted() {
        assert!(dealt(&[(1, 64, 3)], 0).is_empty());
        assert!(dealt(&[], 10).is_empty());
    }
}
