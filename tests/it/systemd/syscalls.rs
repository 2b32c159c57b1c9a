//! Every system call that the daemon and its private server make through a life is one that the unit allows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::manager::{Manager, Start, ask, until};

/// All names in a set, sets in it resolved.
fn expanded(set: &str) -> BTreeSet<String> {
    let output = Command::new("systemd-analyze")
        .args(["syscall-filter", set])
        .output()
        .expect("systemd-analyze is missing: `make test` installs it (package systemd)");
    assert!(output.status.success(), "{set}: {output:?}");
    let mut names = BTreeSet::new();
    for word in String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::trim) {
        if word.starts_with('@') {
            names.extend(expanded(word));
        } else if !word.starts_with('#') && !word.is_empty() {
            names.insert(word.to_owned());
        }
    }
    names
}

/// What the unit's lines leave, read from the unit.
fn allowed() -> BTreeSet<String> {
    let unit = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/wismo.service")).unwrap();
    let mut allowed = BTreeSet::new();
    for words in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        for word in words.trim_start_matches('~').split_whitespace() {
            let names = expanded(word);
            if words.starts_with('~') {
                allowed.retain(|name| !names.contains(name));
            } else {
                allowed.extend(names);
            }
        }
    }
    // Allowed whatever the list: systemd needs them itself to start the service.
    allowed.extend(expanded("@default"));
    allowed
}

/// Names of calls in what strace wrote.
fn made(trace: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let call = line.split_once(' ')?.1.trim_start();
        let call = call.strip_prefix("<... ").unwrap_or(call);
        let end = call.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        (end > 0 && !call.starts_with(['+', '-'])).then(|| call[..end].to_owned())
    };
    trace.lines().filter_map(name).collect()
}

#[tokio::test]
async fn every_system_call_is_within_the_filter() {
    let manager = Manager::listen();
    let folder = tempfile::Builder::new().prefix("w").tempdir_in("/tmp").unwrap();
    let trace = folder.path().join("trace");
    let trace_name = trace.display().to_string();
    // The tracer passes signals to nobody: the daemon's own process is asked for by its lock.
    let wrapper = ["strace", "-f", "-qq", "-s", "0", "-o", &trace_name];
    let config = "[sandbox]\nday = \"300ms\"\n[webhook]\nallow_nets = [\"127.0.0.1/32\"]\n[polling]\ntick = \"50ms\"\n\
                  [polling.intervals]\npending = \"200ms\"\ninfo_received = \"200ms\"\nin_transit = \"200ms\"\n";
    let watched = [("WATCHDOG_USEC", "2000000".to_owned())];
    let start = Start { wrapper: &wrapper, environment: &watched, ..Start::new(&manager, config) };
    let mut service = start.go_in(folder);
    let base = service.base().await;
    manager.hears(0, "STATUS=accounts 1/1").await;
    let key = service.shop(&[], Path::new(env!("CARGO_BIN_EXE_wismo"))).await;
    // A public name, an address that is refused, a receiver that is there: the ways out that a webhook may take.
    for url in ["https://receiver.example/", "http://127.0.0.1:9/"] {
        let (status, told) =
            ask("POST", &format!("{base}/v1/endpoints"), &key, &format!("{{\"url\":\"{url}\"}}")).await;
        assert!(status == 201 || status == 422, "{told}");
    }
    let (status, told) =
        ask("POST", &format!("{base}/v1/trackers"), &key, "{\"number\":\"SANDBOX-DELIVERED-1\"}").await;
    assert_eq!(status, 201, "{told}");
    let id = serde_json::from_str::<serde_json::Value>(&told).unwrap()["id"].as_str().unwrap().to_owned();
    until("the delivery", async || {
        let (_, told) = ask("GET", &format!("{base}/v1/trackers/{id}"), &key, "").await;
        told.contains("\"delivered\"").then_some(())
    })
    .await;
    let pid = fs::read_to_string(service.path("state/redis/daemon.lock")).unwrap().trim().to_owned();
    let before = manager.count();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let reloading = manager.hears(before, "RELOADING=1").await;
    manager.hears(reloading, "READY=1").await;
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(service.ends().await, Some(0), "{}", service.log());
    let trace = fs::read_to_string(service.path("trace")).unwrap();
    let (allowed, made) = (allowed(), made(&trace));
    assert!(allowed.len() > 200 && made.len() > 50, "{} {}", allowed.len(), made.len());
    assert!(made.contains("execve") && made.contains("fdatasync"), "the private server was traced, too: {made:?}");
    let outside: Vec<&String> = made.difference(&allowed).collect();
    assert!(outside.is_empty(), "the unit forbids: {outside:?}");
    within_the_other_lines(&trace);
}

/// What more lines of the unit forbid and a trace shows: `ExecPaths=`, `MemoryDenyWriteExecute=`,
/// `RestrictAddressFamilies=`, `RestrictNamespaces=`.
fn within_the_other_lines(trace: &str) {
    let lines = |call: &'static str| trace.lines().filter(move |line| line.contains(&format!(" {call}(")));
    let programs: BTreeSet<&str> = lines("execve")
        .filter(|line| line.contains(" = 0") || line.contains("<unfinished"))
        .filter_map(|line| line.split('"').nth(1)?.rsplit('/').next())
        .collect();
    assert_eq!(programs, BTreeSet::from(["redis-server", "wismo"]), "nothing else is executed");
    assert!(lines("mprotect").count() > 0 && lines("mmap").count() > 0, "memory was traced");
    let executable: Vec<&str> = lines("mprotect")
        .filter(|line| line.contains("PROT_EXEC"))
        .chain(lines("mmap").filter(|line| line.contains("PROT_EXEC") && line.contains("PROT_WRITE")))
        .collect();
    assert!(executable.is_empty(), "memory that is written and executed: {executable:?}");
    let families: BTreeSet<&str> =
        lines("socket").filter_map(|line| line.split_once("socket(")?.1.split(',').next()).collect();
    assert!(families.contains("AF_UNIX") && families.contains("AF_INET"), "{families:?}");
    for family in families {
        // The resolver tries AF_NETLINK, and does without it where it is refused.
        assert!(["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"].contains(&family), "{family} is restricted");
    }
    assert!(!trace.contains("CLONE_NEW"), "namespaces are restricted");
}
