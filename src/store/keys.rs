//! Every key of the store is named here and nowhere else.
//!
//! All keys of a shard carry one Redis Cluster hash tag, so that one script may touch them together. The 64 tags
//! are chosen so that tag *i* lies in the middle of the *i*-th 64th of the 16,384 slots: any even split of the
//! slots over nodes splits the shards evenly.

use crate::model::{AccountName, CarrierCode, EndpointId, Shard, ShopId, Status, TrackerId};

/// Hash tag of each shard. CRC16 of it modulo 16384 is near 256 i + 128 (a test computes it).
const TAGS: [&str; 64] = [
    "464", "65b", "4b0", "6af", "574", "74b", "5c0", "ef6", "96a", "f12", "9be", "fe6", "87a", "56b", "8ce", "5bf",
    "5a3", "7be", "557", "76a", "ffc", "6ce", "447", "67a", "8af", "91", "85b", "28a", "ddc", "4ae", "94b", "39a",
    "712", "52d", "7e6", "b37", "602", "43d", "6d6", "fa0", "532", "d49", "781", "eb0", "f4b", "931", "4f6", "8e8",
    "7d8", "4ec", "621", "f77", "6e8", "5dc", "731", "be0", "fbe", "da3", "f6a", "912", "5e5", "8d6", "511", "802",
];

/// The hash tag of a shard, without braces.
#[must_use]
pub fn tag(shard: Shard) -> &'static str {
    TAGS[usize::from(shard.number())]
}

/// The shard that a hash tag belongs to.
#[must_use]
pub fn shard_of_tag(tag: &str) -> Option<Shard> {
    let number = TAGS.iter().position(|known| *known == tag)?;
    u8::try_from(number).ok().map(Shard::new)
}

fn in_shard(shard: Shard, rest: &str) -> String {
    format!("wismo:{{{}}}:{rest}", tag(shard))
}

/// HASH: flat readable fields of a tracker, each 64 bytes or less, with revision and sequence.
#[must_use]
pub fn tracker(id: &TrackerId) -> String {
    in_shard(id.shard(), &format!("tracker:{id}"))
}

/// The tracker that such a key is of.
#[must_use]
pub fn tracker_of(key: &str) -> Option<TrackerId> {
    key.rsplit_once(":tracker:").and_then(|(_, id)| id.parse().ok())
}

/// STRING: compact JSON array of its events.
#[must_use]
pub fn events(id: &TrackerId) -> String {
    in_shard(id.shard(), &format!("events:{id}"))
}

/// STRING: JSON of what is longer than 64 bytes: tags, metadata, orders, pickup, URLs.
#[must_use]
pub fn about(id: &TrackerId) -> String {
    in_shard(id.shard(), &format!("about:{id}"))
}

/// STRING, zstd: the newest answer of the carrier about it. Expires.
#[must_use]
pub fn answer(id: &TrackerId) -> String {
    in_shard(id.shard(), &format!("answer:{id}"))
}

/// SET: carriers that sent codes which their tables do not know.
pub const UNMAPPED: &str = "wismo:unmapped";

/// HASH: code that the carrier's table does not know -> JSON of how often it was seen, when, and an example.
#[must_use]
pub fn unmapped(carrier: &CarrierCode) -> String {
    format!("wismo:unmapped:{carrier}")
}

/// ZSET: ids of a subject's changes by sequence.
#[must_use]
pub fn log(shard: Shard, subject: &str) -> String {
    in_shard(shard, &format!("log:{subject}"))
}

/// LIST, bounded: which change reached which endpoint when.
#[must_use]
pub fn sent(shard: Shard, subject: &str) -> String {
    in_shard(shard, &format!("sent:{subject}"))
}

/// ZSET: tracker id by next poll time (ms).
#[must_use]
pub fn due(shard: Shard, account: &AccountName) -> String {
    in_shard(shard, &format!("due:{account}"))
}

/// STRING: somebody asked for a poll at once. Expires by itself; until then nobody may ask again.
#[must_use]
pub fn forced(id: &TrackerId) -> String {
    in_shard(id.shard(), &format!("forced:{id}"))
}

/// ZSET: `<kind>:<tracker id>` by time (ms), the earliest timer of each tracker.
#[must_use]
pub fn timers(shard: Shard) -> String {
    in_shard(shard, "timers")
}

/// STREAM: every change of a shop in this shard, in order.
#[must_use]
pub fn changes(shard: Shard, shop: &ShopId) -> String {
    in_shard(shard, &format!("changes:{shop}"))
}

/// HASH: shop -> id of the newest entry that left its change log because of its age.
#[must_use]
pub fn trimmed(shard: Shard) -> String {
    in_shard(shard, "trimmed")
}

/// ZSET: subject (tracker id) by next attempt time (ms) of an endpoint.
#[must_use]
pub fn deliver(shard: Shard, endpoint: &EndpointId) -> String {
    in_shard(shard, &format!("deliver:{endpoint}"))
}

/// ZSET: endpoint by max(its earliest due, its pause).
#[must_use]
pub fn ready(shard: Shard) -> String {
    in_shard(shard, "ready")
}

/// HASH: endpoint -> paused until (ms).
#[must_use]
pub fn pauses(shard: Shard) -> String {
    in_shard(shard, "pauses")
}

/// ZSET: change id by sequence, still to deliver to an endpoint.
#[must_use]
pub fn pending(shard: Shard, endpoint: &EndpointId, subject: &str) -> String {
    in_shard(shard, &format!("pending:{endpoint}:{subject}"))
}

/// HASH: change, token, number of attempts, first and last attempt, last error.
#[must_use]
pub fn attempt(shard: Shard, endpoint: &EndpointId, subject: &str) -> String {
    in_shard(shard, &format!("attempt:{endpoint}:{subject}"))
}

/// ZSET: exhausted deliveries (`<change id>`) by time.
#[must_use]
pub fn dead(shard: Shard, endpoint: &EndpointId) -> String {
    in_shard(shard, &format!("dead:{endpoint}"))
}

/// HASH: shop -> routing version that this shard has seen.
#[must_use]
pub fn routes(shard: Shard) -> String {
    in_shard(shard, "routes")
}

/// ZSET: tracker id by time of entering a status.
#[must_use]
pub fn by_status(shard: Shard, shop: &ShopId, status: Status) -> String {
    in_shard(shard, &format!("status:{shop}:{status}"))
}

/// ZSET: tracker id by time of opening, one for each kind of delay.
#[must_use]
pub fn by_condition(shard: Shard, shop: &ShopId, condition: &str) -> String {
    in_shard(shard, &format!("open:{shop}:{condition}"))
}

/// ZSET: `<tracker id> <look-up key>` by time (ms): look-ups whose tracker was not there when last heard of.
/// The sweeper reads it; a registration leaves it empty.
#[must_use]
pub fn loose_lookups(shard: Shard) -> String {
    in_shard(shard, "loose")
}

/// STRING: written before waiting until the shard's node has stored its writes durably.
#[must_use]
pub fn fence(shard: Shard) -> String {
    in_shard(shard, "fence")
}

/// ZSET: tracker keys by time, for a tracking number (any shop: read through the trackers' own shop field).
#[must_use]
pub fn by_number(number: &str) -> String {
    format!("wismo:{{i:{number}}}")
}

/// ZSET: tracker keys by time, for an order of a shop.
#[must_use]
pub fn by_order(shop: &ShopId, order: &str) -> String {
    format!("wismo:{{o:{shop}:{order}}}")
}

/// ZSET: tracker keys by time, for a customer reference of a shop.
#[must_use]
pub fn by_customer(shop: &ShopId, customer: &str) -> String {
    format!("wismo:{{c:{shop}:{customer}}}")
}

/// STRING: JSON document of an endpoint.
#[must_use]
pub fn endpoint(id: &EndpointId) -> String {
    format!("wismo:endpoint:{id}")
}

/// HASH: number, endpoint list and routing version of a shop.
#[must_use]
pub fn shop(id: &ShopId) -> String {
    format!("wismo:shop:{id}")
}

/// HASH: shop number -> shop, every shop.
pub const SHOPS: &str = "wismo:shops";

/// HASH: endpoint -> since when (ms) its queues are to be dropped (disabled or deleted).
pub const DROPPING: &str = "wismo:dropping";

/// ZSET: every daemon by when it last told of itself (ms).
pub const DAEMONS: &str = "wismo:daemons";

/// HASH: what a daemon tells of itself.
#[must_use]
pub fn daemon(owner: &str) -> String {
    format!("wismo:daemon:{owner}")
}

/// STRING: the shop that an API key (by its hash) belongs to.
#[must_use]
pub fn api_key(hash: &str) -> String {
    format!("wismo:key:{hash}")
}

/// HASH: schema version, creation time, check hash of the master key.
pub const META: &str = "wismo:meta";

/// STRING, sealed: a secret of the store itself, by name.
#[must_use]
pub fn secret(name: &str) -> String {
    format!("wismo:secret:{name}")
}

/// A key of an account (lease, windows, price, token, pause): one slot an account.
#[must_use]
pub fn of_account(account: &AccountName, what: &str) -> String {
    format!("wismo:{{{account}}}:{what}")
}

// --- deliveries, beside those above ---

/// HASH: change id -> JSON of how its delivery to an endpoint died: subject, sequence, attempts, last error.
#[must_use]
pub fn dead_about(shard: Shard, endpoint: &EndpointId) -> String {
    in_shard(shard, &format!("dead-about:{endpoint}"))
}

/// ZSET: endpoint by the time of its oldest dead delivery, so that retention finds them.
#[must_use]
pub fn buried(shard: Shard) -> String {
    in_shard(shard, "buried")
}

/// HASH: change id -> when it was queued again (ms): its age counts from then.
#[must_use]
pub fn replayed(shard: Shard, endpoint: &EndpointId) -> String {
    in_shard(shard, &format!("replayed:{endpoint}"))
}

/// HASH: how far the sweep for deliveries that waited too long has come.
#[must_use]
pub fn sweep(shard: Shard) -> String {
    in_shard(shard, "sweep")
}

// --- accounts: one slot each ---

/// HASH: owner, token, expires and what the next holder has to wait for.
#[must_use]
pub fn lease(account: &AccountName) -> String {
    of_account(account, "lease")
}

/// HASH: calls reserved, by bucket (rolling) or by start of the period (calendar).
#[must_use]
pub fn window(account: &AccountName, window: &str) -> String {
    of_account(account, &format!("windows:{window}"))
}

/// HASH: until, why. Expires by itself.
#[must_use]
pub fn account_pause(account: &AccountName) -> String {
    of_account(account, "pause")
}

/// HASH: what a call of this account is worth, as its lease holder last reckoned.
#[must_use]
pub fn price(account: &AccountName) -> String {
    of_account(account, "price")
}

/// STRING, sealed: the carrier's token. Expires with it.
#[must_use]
pub fn token(account: &AccountName) -> String {
    of_account(account, "token")
}

/// LIST, sealed: calls that somebody asks the account's lease holder for. Expires by itself.
#[must_use]
pub fn wishes(account: &AccountName) -> String {
    of_account(account, "wishes")
}

/// STRING, sealed: what came of such a call. Expires by itself.
#[must_use]
pub fn granted(account: &AccountName, wish: &str) -> String {
    of_account(account, &format!("granted:{wish}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(key: &str) -> u16 {
        let mut crc = 0_u16;
        for byte in key.bytes() {
            crc ^= u16::from(byte) << 8;
            for _ in 0..8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            }
        }
        crc % 16_384
    }

    #[test]
    fn shards_spread_evenly_over_the_slots() {
        assert_eq!(slot("123456789"), 0x31C3);
        for shard in Shard::all() {
            assert_eq!(slot(tag(shard)) / 256, u16::from(shard.number()));
            assert_eq!(shard_of_tag(tag(shard)), Some(shard));
        }
    }
}
