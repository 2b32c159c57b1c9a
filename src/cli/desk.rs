//! Reading for people: the store, as the user who may only read.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::ConfigArgs;
use super::failure::Failure;
use crate::carrier::Registry;
use crate::model::{ShopId, Tracker, TrackerId};
use crate::settings::{self, ReadPlace};
use crate::spelling::nearest;
use crate::store::{Lookup, Reader, Target};

/// Trackers that one search may find.
const MOST_FOUND: usize = 200;

/// Where a command reads.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Redis to read from: a URL with the read-only user, or the path of the private Redis' socket
    #[arg(long, value_name = "URL|SOCKET", env = "WISMO_REDIS", hide_env_values = true)]
    pub redis: Option<String>,
    /// Only this shop's parcels
    #[arg(long, value_name = "NAME", env = "WISMO_SHOP")]
    pub shop: Option<ShopId>,
}

/// The store, open to be read.
pub struct Desk {
    /// The connection.
    pub reader: Reader,
    /// The shops that are asked about.
    pub shops: Vec<ShopId>,
    /// This moment.
    pub now: Timestamp,
    /// The operator's folder of carriers, where one is named.
    pub carriers_dir: Option<std::path::PathBuf>,
}

impl ReadArgs {
    /// Connects.
    pub async fn open(&self) -> Result<Desk, Failure> {
        let reach = settings::reach(&self.config.sources()).map_err(Failure::usage)?;
        let target = match &self.redis {
            Some(given) => named(given),
            None => target(&reach.redis)?,
        };
        let patience = reach.patience.min(Duration::from_secs(3));
        let reader = Reader::connect(&target, patience).await.map_err(|error| away(&target, &error))?;
        let known: Vec<ShopId> =
            reader.shops().await.map_err(|error| away(&target, &error))?.into_iter().map(|shop| shop.id).collect();
        let shops = match &self.shop {
            Some(shop) if known.contains(shop) => vec![shop.clone()],
            Some(shop) => return Err(Failure::usage(no_such_shop(shop, &known))),
            None => known,
        };
        Ok(Desk { reader, shops, now: crate::clock::now(), carriers_dir: reach.carriers_dir })
    }
}

fn no_such_shop(shop: &ShopId, known: &[ShopId]) -> String {
    let names: Vec<&str> = known.iter().map(ShopId::as_str).collect();
    match nearest(shop.as_str(), names.iter().copied()) {
        Some(near) => format!("there is no shop {shop}; did you mean {near}?"),
        None if names.is_empty() => "there is no shop yet; `wismo shops add NAME` adds one".to_owned(),
        None => format!("there is no shop {shop}; there are: {}", names.join(", ")),
    }
}

fn named(given: &str) -> Target {
    if given.contains("://") {
        Target::Single { url: SecretString::from(given) }
    } else {
        Target::Unix { path: given.into(), user: None, password: None }
    }
}

fn target(place: &ReadPlace) -> Result<Target, Failure> {
    match place {
        ReadPlace::Urls { urls, cluster: true } => Ok(Target::Cluster { urls: urls.clone() }),
        ReadPlace::Urls { urls, cluster: false } => {
            let url = urls.first().cloned().unwrap_or_else(|| SecretString::from(""));
            Ok(Target::Single { url })
        }
        ReadPlace::Sockets(sockets) => {
            let found = sockets.iter().find(|socket| socket.exists());
            let all: Vec<String> = sockets.iter().map(|socket| socket.display().to_string()).collect();
            let path = found.cloned().ok_or_else(|| {
                Failure::unavailable(format!(
                    "no daemon's private Redis is at {}: is `wismo run` running (systemctl status wismo)? Name its configuration with --config, or its Redis with --redis",
                    all.join(" or ")
                ))
            })?;
            Ok(Target::Unix { path, user: None, password: None })
        }
        ReadPlace::NoReader => Err(Failure::usage(
            "the configuration names a Redis of its own and nobody who may only read it: set redis.reader, or give --redis (docs/redis.md)",
        )),
    }
}

/// A server's address without its user and password.
fn address(target: &Target) -> String {
    let of = |url: &SecretString| {
        let url = url::Url::parse(url.expose_secret()).ok()?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}://{}{port}", url.scheme(), url.host_str()?))
    };
    let found = match target {
        Target::Single { url } => of(url),
        Target::Cluster { urls } => urls.first().and_then(of),
        Target::Unix { .. } => None,
    };
    found.map_or_else(|| "Redis".to_owned(), |found| format!("Redis at {found}"))
}

fn away(target: &Target, error: &crate::store::StoreError) -> Failure {
    let Target::Unix { path, .. } = target else {
        return Failure::unavailable(format!(
            "{} cannot be read: {error}. Is it running, and do its address and user stand in redis.reader, or --redis?",
            address(target)
        ));
    };
    let path = path.display();
    Failure::unavailable(if error.to_string().contains("ermission denied") {
        format!("you may not use {path}: its group may (usermod -aG wismo YOU, then log in again)")
    } else {
        format!("nobody answers at {path}: is `wismo run` running (systemctl status wismo)? {error}")
    })
}

impl Desk {
    /// Every parcel that this leads to, newest first: an id of ours, a number in any spelling or in a pasted address,
    /// an order, or a customer reference.
    pub async fn search(&self, what: &str, registry: &Registry) -> Result<Vec<Tracker>, Failure> {
        let what = what.trim();
        if let Ok(id) = what.parse::<TrackerId>() {
            let found = self.reader.tracker(&id).await?;
            return Ok(found.into_iter().filter(|tracker| self.shops.contains(&tracker.shop)).collect());
        }
        let mut lookups: Vec<Lookup> = registry.spellings(what).into_iter().map(Lookup::Number).collect();
        lookups.push(Lookup::Order(what.to_owned()));
        lookups.push(Lookup::Customer(what.to_owned()));
        let mut found: Vec<Tracker> = Vec::new();
        for shop in &self.shops {
            for lookup in &lookups {
                for tracker in self.reader.find(shop, lookup, MOST_FOUND).await? {
                    if found.iter().all(|known| known.id != tracker.id) {
                        found.push(tracker);
                    }
                }
            }
        }
        found.sort_by(|a, b| b.registered_at.cmp(&a.registered_at).then_with(|| a.id.cmp(&b.id)));
        Ok(found)
    }
}
