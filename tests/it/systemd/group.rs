//! The daemon as a user of its own, as the unit runs it: who is in its group reads parcels and no secret; who is not
//! reads nothing. Other users are played by root; anybody else plays the member alone, with the same rights in Redis.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use super::manager::{Manager, Start, ask, until};

const DAEMON: u32 = 61_234;
const MEMBER: u32 = 61_235;
const STRANGER: u32 = 61_236;

/// What only the daemon's user may read.
const CLOSED: [&str; 4] =
    ["state/redis/password", "state/master-key", "state/redis/redis.conf", "state/redis/appendonlydir"];

fn folder(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    if is_root() {
        chown(path, Some(DAEMON), Some(DAEMON)).unwrap();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a command as somebody with this second group.
fn as_user(user: u32, group: u32, command: &[&str]) -> Output {
    if !is_root() {
        return Command::new(command[0]).args(&command[1..]).output().unwrap();
    }
    let (user, group) = (user.to_string(), group.to_string());
    let identity = ["--reuid", &user, "--regid", &user, "--groups", &group];
    Command::new("setpriv").args(identity).args(command).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn members_of_the_group_read_parcels_and_no_secret() {
    let home = tempfile::Builder::new().prefix("w").tempdir_in("/tmp").unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    // Where the build lies may be closed to other users.
    let program = home.path().join("wismo");
    fs::copy(env!("CARGO_BIN_EXE_wismo"), &program).unwrap();
    // As systemd makes them for the unit.
    folder(&home.path().join("state"), 0o700);
    folder(&home.path().join("run"), 0o750);
    let manager = Manager::listen();
    let id = DAEMON.to_string();
    let identity = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    let shell = ["sh", "-c", "umask 077; exec \"$0\" \"$@\""];
    let wrapper = [if is_root() { &identity[..] } else { &[] }, &shell].concat();
    let mut service = Start { wrapper: &wrapper, program: &program, ..Start::new(&manager, "") }.go_in(home);
    manager.hears(0, "STATUS=accounts 1/1").await;
    let base = service.base().await;
    let key = service.shop(&wrapper, &program).await;
    let parcel = "{\"number\":\"SANDBOX-DELIVERED-1\",\"orders\":[{\"reference\":\"1234\"}]}";
    let (status, told) = ask("POST", &format!("{base}/v1/trackers"), &key, parcel).await;
    assert_eq!(status, 201, "{told}");

    let socket = service.path("run/redis.sock").display().to_string();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o770, "whatever the umask");
    let redis = |user, group, words: &[&str]| as_user(user, group, &[&["redis-cli", "-s", &socket], words].concat());
    let member = |words: &[&str]| text(&redis(MEMBER, DAEMON, words));
    let found = until("order 1234 by redis-cli", async || {
        let found = member(&["ZRANGE", "wismo:{o:boutique:1234}", "0", "-1"]);
        found.contains(":tracker:").then_some(found)
    })
    .await;
    let parcel = member(&["HGETALL", found.trim()]);
    assert!(parcel.contains("status") && parcel.contains("sandbox"), "{found}: {parcel}");
    let wismo = |user, words: &[&str]| {
        let program = program.display().to_string();
        as_user(user, DAEMON, &[&[&program[..]], words, &["--redis", &socket]].concat())
    };
    let shown = wismo(MEMBER, &["find", "1234"]);
    assert!(shown.status.success() && text(&shown).contains("SANDBOX-DELIVERED-1"), "{}", text(&shown));
    assert!(text(&wismo(MEMBER, &["list"])).contains("boutique"));
    assert!(wismo(MEMBER, &["status"]).status.success());
    let refused: &[&[&str]] = &[
        &["GET", "wismo:key:0123"],
        &["HGETALL", "wismo:endpoint:x"],
        &["GET", "wismo:secret:ids"],
        &["GET", "wismo:{sandbox}:token"],
        &["HGETALL", "wismo:meta"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["CONFIG", "GET", "*"],
        &["ACL", "LIST"],
        &["SET", "wismo:shops", "x"],
        &["DEL", found.trim()],
        &["SHUTDOWN"],
    ];
    for words in refused {
        let told = member(words);
        assert!(told.contains("NOPERM"), "{words:?}: {told}");
    }
    let closed: &[&str] = if is_root() { &CLOSED } else { &[] };
    for file in closed {
        let path = service.path(file);
        assert!(path.exists(), "{file}");
        let read = as_user(MEMBER, DAEMON, &["ls", &path.display().to_string()]);
        assert!(!read.status.success() && text(&read).contains("ermission denied"), "{file}: {}", text(&read));
    }
    if is_root() {
        let stranger = text(&redis(STRANGER, STRANGER, &["PING"]));
        assert!(stranger.contains("Permission denied"), "{stranger}");
        let program = program.display().to_string();
        let stranger = as_user(STRANGER, STRANGER, &[&program, "list", "--redis", &socket]);
        assert_eq!(stranger.status.code(), Some(69), "{}", text(&stranger));
        assert!(text(&stranger).contains("usermod -aG wismo"), "{}", text(&stranger));
    }
    service.signal("TERM").await;
    assert_eq!(service.ends().await, Some(0), "{}", service.log());
}
