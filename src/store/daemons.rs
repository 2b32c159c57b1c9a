//! Daemons tell of themselves, so that whoever reads the store knows who is at work.

use jiff::{SignedDuration, Timestamp};

use super::Store;
use super::error::StoreError;
use super::keys;
use crate::model::time::{after, from_millis, to_millis};
use crate::model::{AccountName, CarrierCode};

/// A daemon that was silent for so long is forgotten.
const FORGET: SignedDuration = SignedDuration::from_hours(24);

/// What a daemon tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Names this start of it.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Which wismo.
    pub version: String,
    /// Where its API listens.
    pub listen: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// The accounts that it knows, whoever polls them now.
    pub accounts: Vec<AccountName>,
    /// Carriers whose new definition is broken, so that it goes by the old one.
    pub stale: Vec<CarrierCode>,
}

impl Store {
    /// Tells that this daemon is at work, and forgets those that were silent for a day.
    pub async fn beat(&self, beat: &Beat) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut tell = redis::cmd("HSET");
        tell.arg(keys::daemon(&beat.owner));
        for (name, value) in written(beat) {
            tell.arg(name).arg(value);
        }
        self.ask::<()>(&tell).await?;
        self.ask::<()>(redis::cmd("ZADD").arg(keys::DAEMONS).arg(to_millis(now)).arg(&beat.owner)).await?;
        let mut silent = redis::cmd("ZRANGE");
        silent.arg(keys::DAEMONS).arg("-inf").arg(to_millis(after(now, -FORGET))).arg("BYSCORE");
        for owner in self.ask::<Vec<String>>(&silent).await? {
            self.leave(&owner).await?;
        }
        Ok(())
    }

    /// Forgets a daemon that stops in order.
    pub async fn leave(&self, owner: &str) -> Result<(), StoreError> {
        self.ask::<()>(redis::cmd("DEL").arg(keys::daemon(owner))).await?;
        self.ask::<()>(redis::cmd("ZREM").arg(keys::DAEMONS).arg(owner)).await
    }
}

fn written(beat: &Beat) -> [(&'static str, String); 8] {
    [
        ("owner", beat.owner.clone()),
        ("host", beat.host.clone()),
        ("pid", beat.pid.to_string()),
        ("version", beat.version.clone()),
        ("listen", beat.listen.clone()),
        ("started_at", to_millis(beat.started_at).to_string()),
        ("accounts", beat.accounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        ("stale", beat.stale.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    ]
}

/// What a daemon told, from the fields of its key; nothing where they are not all there.
pub(super) fn read(fields: Vec<(String, String)>) -> Option<Beat> {
    let fields: std::collections::HashMap<String, String> = fields.into_iter().collect();
    let text = |name: &str| fields.get(name).cloned();
    Some(Beat {
        owner: text("owner")?,
        host: text("host")?,
        pid: text("pid")?.parse().ok()?,
        version: text("version")?,
        listen: text("listen")?,
        started_at: from_millis(text("started_at")?.parse().ok()?),
        accounts: text("accounts")?.split_whitespace().filter_map(|name| name.parse().ok()).collect(),
        stale: text("stale").unwrap_or_default().split_whitespace().filter_map(|code| code.parse().ok()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_back() {
        let beat = Beat {
            owner: "0a1b".to_owned(),
            host: "shop1".to_owned(),
            pid: 77,
            version: "0.1.0".to_owned(),
            listen: "127.0.0.1:8787".to_owned(),
            started_at: from_millis(1_764_000_000_000),
            accounts: vec!["sandbox".parse().unwrap(), "ups".parse().unwrap()],
            stale: vec!["acme".parse().unwrap()],
        };
        let fields = written(&beat).map(|(name, value)| (name.to_owned(), value)).to_vec();
        assert_eq!(read(fields), Some(beat));
        assert_eq!(read(vec![("pid".to_owned(), "x".to_owned())]), None);
    }
}
