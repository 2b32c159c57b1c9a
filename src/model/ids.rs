//! Names of things: shops, trackers, endpoints, accounts, shards.
//!
//! A tracker's id is derived from what it is about, so two registrations of the same parcel at the
//! same moment meet in one key; its shard follows from the id, so no look-up is needed to find it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

/// The store is cut into this many shards; the number is fixed for the life of a store.
pub const SHARDS: u8 = 64;

/// RFC 4648 base32 without padding: what ids are written in, in lower case.
use data_encoding::BASE32_NOPAD as BASE32;

/// An id from outside that is not one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IdError {
    /// The text does not start as this kind of id does, or is not 26 base32 characters after that.
    #[error("{given:?} is not {what}: it would look like {prefix}… with 26 letters and digits")]
    Shape {
        /// What was expected, with its article.
        what: &'static str,
        /// How such an id starts.
        prefix: &'static str,
        /// What was given.
        given: String,
    },
    /// A change's id that is not one.
    #[error("{0:?} is not a change's id: it would look like evt_28_1_1795376804438_0")]
    Change(String),
    /// A name that holds characters we do not put into keys, or is empty or too long.
    #[error("{given:?} is not a valid {what}: use 1 to 40 of a-z, 0-9, '-' and '_'")]
    Name {
        /// What was expected.
        what: &'static str,
        /// What was given.
        given: String,
    },
}

/// One of the 64 slices of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// The shard with this number; numbers from 64 on wrap around.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number % SHARDS)
    }

    /// Its number, 0 to 63.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Every shard, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }
}

macro_rules! hashed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// How the written form starts.
            pub const PREFIX: &'static str = $prefix;

            /// The id made of these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The shard that holds everything of it.
            #[must_use]
            pub const fn shard(&self) -> Shard {
                Shard::new(self.0[0])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, BASE32.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(given: &str) -> Result<Self, IdError> {
                let shape = || IdError::Shape { what: $what, prefix: $prefix, given: given.chars().take(60).collect() };
                let tail = given.strip_prefix($prefix).ok_or_else(shape)?;
                if tail.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(shape());
                }
                let bytes = BASE32.decode(tail.to_ascii_uppercase().as_bytes()).map_err(|_| shape())?;
                Ok(Self(bytes.try_into().map_err(|_| shape())?))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hashed_id!(
    /// A parcel that a shop asked us to follow.
    TrackerId,
    "trk_",
    "a tracker's id"
);
hashed_id!(
    /// A URL that a shop subscribed.
    EndpointId,
    "ep_",
    "an endpoint's id"
);

impl TrackerId {
    /// The id of a shop's parcel: the first 16 bytes of HMAC-SHA256(store secret, shop, carrier, number).
    /// `number` is the carrier's normalised form.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn derive(store_secret: &[u8], shop: &ShopId, carrier: &CarrierCode, number: &str) -> Self {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(store_secret).expect("HMAC takes keys of any length");
        for part in [shop.as_str(), carrier.as_str(), number] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        let digest = mac.finalize().into_bytes();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(given: &str) -> Result<Self, IdError> {
                let good = !given.is_empty()
                    && given.len() <= 40
                    && given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
                if good {
                    Ok(Self(given.to_owned()))
                } else {
                    Err(IdError::Name { what: $what, given: given.chars().take(60).collect() })
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// A tenant.
    ShopId,
    "shop name"
);
name!(
    /// One set of credentials at one carrier, with its quota.
    AccountName,
    "account name"
);
name!(
    /// A carrier, by the code of its definition.
    CarrierCode,
    "carrier code"
);

/// The id of one change: `evt_<shard>_<shop number>_<ms>_<n>`. The last two parts are the id of its entry in
/// the shop's change log of that shard, so any id finds its entry; it is the `webhook-id` of every delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId {
    /// Shard of the log that holds it.
    pub shard: Shard,
    /// The shop's number in the store (not its name: an id travels).
    pub shop: u32,
    /// Milliseconds part of the entry's stream id.
    pub ms: u64,
    /// Counter part of the entry's stream id.
    pub n: u64,
}

impl ChangeId {
    /// The id of the stream entry, as Redis writes it.
    #[must_use]
    pub fn stream_id(&self) -> String {
        format!("{}-{}", self.ms, self.n)
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}_{}_{}_{}", self.shard.number(), self.shop, self.ms, self.n)
    }
}

impl FromStr for ChangeId {
    type Err = IdError;

    fn from_str(given: &str) -> Result<Self, IdError> {
        let parse = || {
            let mut parts = given.strip_prefix("evt_")?.split('_');
            let shard: u8 = parts.next()?.parse().ok().filter(|s| *s < SHARDS)?;
            let id = Self {
                shard: Shard::new(shard),
                shop: parts.next()?.parse().ok()?,
                ms: parts.next()?.parse().ok()?,
                n: parts.next()?.parse().ok()?,
            };
            (parts.next().is_none() && id.to_string() == given).then_some(id)
        };
        parse().ok_or_else(|| IdError::Change(given.chars().take(60).collect()))
    }
}

impl Serialize for ChangeId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChangeId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_writing_and_reading() {
        let id = TrackerId::derive(b"secret", &"shop".parse().unwrap(), &"ups".parse().unwrap(), "1Z999");
        let text = id.to_string();
        assert_eq!(text.len(), 4 + 26);
        assert_eq!(text.parse::<TrackerId>().unwrap(), id);
        assert!(text.to_uppercase().parse::<TrackerId>().is_err());
        assert!("ep_abc".parse::<TrackerId>().is_err());
        let change = ChangeId { shard: Shard::new(9), shop: 3, ms: 1_700_000_000_000, n: 2 };
        assert_eq!(change.to_string().parse::<ChangeId>().unwrap(), change);
        assert!("evt_64_1_2_3".parse::<ChangeId>().is_err());
        assert!("evt_01_1_2_3".parse::<ChangeId>().is_err());
    }

    #[test]
    fn parts_of_an_id_do_not_run_into_each_other() {
        let of = |shop: &str, number| TrackerId::derive(b"s", &shop.parse().unwrap(), &"ups".parse().unwrap(), number);
        assert_ne!(of("a", "b1"), of("a", "b2"));
        assert_ne!(of("ab", "1"), of("a", "b1"));
    }
}
