//! What the private server is told.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// How the server is reached.
pub(super) struct Way {
    pub(super) socket: PathBuf,
    pub(super) password: SecretString,
    /// Where its data must be.
    pub(super) folder: PathBuf,
    /// How long it may take to answer at all.
    pub(super) patience: Duration,
    /// Whether every write is on disk before it is acknowledged.
    pub(super) sync_always: bool,
    /// The most memory that it may take.
    pub(super) max_memory: Option<u64>,
}

/// The daemon's own user.
pub(super) const USER: &str = "wismo";

/// Mode of the socket while the default user may do everything, and after that.
pub(super) const CLOSED: u32 = 0o700;
pub(super) const OPEN: u32 = 0o770;

/// What the default user may read: tracking data, queues and look-ups. Keys of shops, endpoints (with their sealed
/// secrets), carriers' tokens and the store's secrets are not among them.
const READABLE: [&str; 31] = [
    "wismo:{*}:tracker:*",
    "wismo:{*}:events:*",
    "wismo:{*}:about:*",
    "wismo:{*}:log:*",
    "wismo:{*}:sent:*",
    "wismo:{*}:due:*",
    "wismo:{*}:timers",
    "wismo:{*}:changes:*",
    "wismo:{*}:deliver:*",
    "wismo:{*}:ready",
    "wismo:{*}:pauses",
    "wismo:{*}:pending:*",
    "wismo:{*}:dead:*",
    "wismo:{*}:dead-about:*",
    "wismo:{*}:attempt:*",
    "wismo:{*}:routes",
    "wismo:{*}:status:*",
    "wismo:{*}:open:*",
    "wismo:{i:*}",
    "wismo:{o:*}",
    "wismo:{c:*}",
    "wismo:unmapped",
    "wismo:unmapped:*",
    "wismo:{*}:lease",
    "wismo:{*}:windows:*",
    "wismo:{*}:pause",
    "wismo:{*}:price",
    "wismo:shop:*",
    "wismo:shops",
    "wismo:daemons",
    "wismo:daemon:*",
];

/// The whole configuration file. Holds the password's hash, never the password.
///
/// On `appendfsync`: `everysec` sounds harmless, but while its fsync runs the server holds writes back for up to two
/// seconds and acknowledges them all the same; killed in that moment (measured: 5 of 25 kills within 100 ms of a full
/// second) it loses them. `always` lost nothing.
pub(super) fn text(folder: &Path, way: &Way) -> String {
    let (socket, password) = (&way.socket, &way.password);
    let mut text = String::new();
    let hash = HEXLOWER.encode(&Sha256::digest(password.expose_secret().as_bytes()));
    let lines = [
        // No network at all.
        "port 0".to_owned(),
        format!("unixsocket {}", quoted(socket)),
        // Opened further once the default user is confined: see `confined`.
        format!("unixsocketperm {CLOSED:o}"),
        format!("dir {}", quoted(folder)),
        // What was acknowledged is in the file; nothing is thrown away to make room.
        "appendonly yes".to_owned(),
        format!("appendfsync {}", if way.sync_always { "always" } else { "everysec" }),
        "save \"\"".to_owned(),
        "maxmemory-policy noeviction".to_owned(),
        format!("maxmemory {}", way.max_memory.unwrap_or(0)),
        "daemonize no".to_owned(),
        "supervised no".to_owned(),
        "logfile \"\"".to_owned(),
        "lazyfree-lazy-user-del yes".to_owned(),
        format!(
            "user {USER} on #{hash} resetkeys ~wismo:* resetchannels +@all -@admin -@dangerous +info +role \
             +config|get +script|load +script|exists +shutdown +acl|whoami +acl|setuser"
        ),
    ];
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The rules of the default user, for `ACL SETUSER`: everybody on the socket reads. SCAN, RANDOMKEY and DBSIZE would
/// tell names that patterns hide.
///
/// They cannot stand in the configuration file: the server reads its own append-only file as the default user, and
/// refuses each transaction in it (all that a script wrote) that this user may not make. It logs that and goes on,
/// without the data. So they are set once everything is loaded, and until then the socket is ours alone.
pub(super) fn confined() -> Vec<String> {
    let rules = "reset on nopass resetchannels -@all +@read +ping +hello +auth +select +client|setname +client|id -keys \
                 -scan -randomkey -dbsize -sort_ro";
    let readable = READABLE.map(|pattern| format!("%R~{pattern}"));
    rules.split_whitespace().map(str::to_owned).chain(readable).collect()
}

/// A path as the configuration's own syntax wants it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_about_redis_has_the_same_rules_for_those_who_read() {
        let page = include_str!("../../../docs/redis.md");
        for rule in super::confined() {
            // There the user has a password, and is new.
            if !["reset", "nopass"].contains(&rule.as_str()) {
                assert!(page.contains(&rule), "docs/redis.md lacks {rule}");
            }
        }
    }
}
