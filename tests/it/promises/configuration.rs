//! What an operator is told of a configuration that is wrong: everything in one run, each with its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::house::{Plan, until};

fn wismo(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").env("PATH", std::env::var_os("PATH").unwrap());
    command.envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

/// The problems that were told, and the exit code.
fn told(output: &Output) -> (Vec<String>, Option<i32>) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines = text.lines().map(|line| line.strip_prefix("wismo: ").unwrap_or_else(|| panic!("{text}")).to_owned());
    (lines.collect(), output.status.code())
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// One problem of each kind, in each kind of place. None hides another, and each says where it is.
#[test]
fn every_kind_of_problem_is_told_in_one_run_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write(&folder.path().join("empty"), "\n");
    // A definition of the operator's own with a misspelt key, beside a folder without any.
    let ups = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/ups/carrier.toml")).unwrap();
    let own = ups.replacen("name = ", "nmae = ", 1);
    let own_line = own.lines().position(|line| line.starts_with("nmae = ")).unwrap() + 1;
    write(&folder.path().join("carriers/ups/carrier.toml"), &own);
    fs::create_dir_all(folder.path().join("carriers/hollow")).unwrap();
    let main = format!(
        r#"[server]
lisen = "127.0.0.1:0"
max_body = "big"
[carriers]
dir = "{}"
[polling]
jitter = 0.9
[webhook]
allow_nets = ["10.0.0.0/99", "banana"]
[accounts.shopless]
carrier = "laposste"
[accounts.shopless.limits]
per_second = 0
windows = [
  {{ calls = 5, per = "1d", rest = "UTC" }},
  {{ calls = 0, per = "1d" }},
]
[accounts.unsealed]
carrier = "laposte"
shops = ["boutique"]
environment = "moon"
[accounts.unsealed.credentials]
keey = "SECRET-THAT-MUST-NOT-SHOW"
[accounts.files]
carrier = "mondialrelay"
shops = "*"
[accounts.files.credentials]
enseigne = {{ file = "{}" }}
private_key = {{ file = "{}" }}
"#,
        at("carriers"),
        at("nowhere"),
        at("empty"),
    );
    write(&folder.path().join("wismo.toml"), &main);
    write(
        &folder.path().join("conf.d/10-more.toml"),
        "master_key_file = \"/nonexistent/key\"\n[log]\nformat = \"xml\"\nfilter = \"infoo\"\n[accounts.nobody]\nshops = \"*\"\n",
    );
    write(
        &folder.path().join("conf.d/20-more.toml"),
        "[accounts.good]\ncarrier = \"sandbox\"\nshops = [\"Bad Shop\"]\n",
    );
    let environment = [
        ("WISMO__SHUTDOWN__DEADLIN", "3s"),
        ("WISMO__RETENTION__DEAD", "soon"),
        ("WISMO__ACCOUNTS__REMOTE__CARRIER", "fedexx"),
        ("WISMO__ACCOUNTS__REMOTE__SHOPS", "a,b"),
        ("WISMO__PRIVATE_REDIS__PROGRAM", "/nonexistent/redis-server"),
    ];
    let (file, first, second) = (at("wismo.toml"), at("conf.d/10-more.toml"), at("conf.d/20-more.toml"));
    let (problems, code) = told(&wismo(&["check", "--config", &file], &environment));
    let all = problems.join("\n");
    assert_eq!(code, Some(78), "{all}");
    let expected = [
        format!("{file}:2: server.lisen: unknown key; did you mean \"listen\"?"),
        format!("{file}:3: server.max_body: \"big\" is no whole number from 1024"),
        format!("{file}:7: polling.jitter: 0.9 is no number from 0 to 0.5"),
        format!("{file}:9: webhook.allow_nets: \"10.0.0.0/99\" is no network: write 10.1.2.0/24 or 127.0.0.1/32; \"banana\""),
        format!("{file}:10: accounts.shopless.shops: missing"),
        format!("{file}:11: accounts.shopless.carrier: \"laposste\" is no carrier; did you mean \"laposte\"?"),
        format!("{file}:13: accounts.shopless.limits.per_second: 0 is no whole number from 1"),
        format!("{file}:15: accounts.shopless.limits.windows[0].rest: unknown key; did you mean \"reset\"?"),
        format!("{file}:16: accounts.shopless.limits.windows[1].calls: 0 is no whole number"),
        format!("{file}:21: accounts.unsealed.environment: \"moon\" is none of"),
        format!("{file}:22: accounts.unsealed.credentials: key is missing"),
        format!("{file}:23: accounts.unsealed.credentials.keey: \"keey\" is no credential of laposte; did you mean \"key\"?"),
        format!("{file}:28: accounts.files.credentials.enseigne: {} cannot be read", at("nowhere")),
        format!("{file}:29: accounts.files.credentials.private_key: {} is empty", at("empty")),
        format!("{}:{own_line}: nmae: there is no key \"nmae\" here", at("carriers/ups/carrier.toml")),
        format!("{}: has no carrier.toml", at("carriers/hollow")),
        format!("{first}:1: master_key_file: /nonexistent/key: cannot be read"),
        format!("{first}:4: log.filter: \"infoo\" is no level: did you mean \"info\"?"),
        format!("{first}:3: log.format: \"xml\" is none of auto, human, json"),
        format!("{first}:5: accounts.nobody.carrier: missing"),
        format!("{second}:3: accounts.good.shops: "),
        "environment WISMO__SHUTDOWN__DEADLIN: shutdown.deadlin: unknown key; did you mean \"deadline\"?".to_owned(),
        "environment WISMO__RETENTION__DEAD: retention.dead: \"soon\" is no duration".to_owned(),
        "environment WISMO__ACCOUNTS__REMOTE__CARRIER: accounts.remote.carrier: \"fedexx\" is no carrier; did you mean \"fedex\"?".to_owned(),
        "environment WISMO__PRIVATE_REDIS__PROGRAM: private_redis.program: there is no program /nonexistent/redis-server".to_owned(),
    ];
    for start in &expected {
        assert!(problems.iter().any(|problem| problem.starts_with(start)), "{start}\nis missing in\n{all}");
    }
    assert!(!all.contains("configuration: ") && !all.contains("SECRET-THAT"), "{all}");
    // Nothing is told that follows from another problem: a secret that cannot be read is not missing as well, and an
    // account is not judged by a definition that cannot be read.
    let rest: Vec<&String> =
        problems.iter().filter(|problem| !expected.iter().any(|start| problem.starts_with(start))).collect();
    let named = |problem: &&String| problem.starts_with(&at("carriers/ups/carrier.toml"));
    assert!(rest.iter().filter(|problem| !named(problem)).count() == 1, "only the sum is left: {rest:?}");
    // The daemon refuses the same, but for the program, which it tries when it starts.
    let (refused, code) = told(&wismo(&["run", "--config", &file], &environment));
    assert_eq!(code, Some(78));
    assert_eq!(refused.len() + 1, problems.len(), "{refused:#?}");
}

#[test]
fn a_folder_of_carriers_that_is_not_there_is_told_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wismo.toml");
    write(&file, "[carriers]\ndir = \"/nonexistent/carriers\"\n[accounts.a]\ncarrier = \"upss\"\nshops = \"*\"\n");
    let file = file.display().to_string();
    let (problems, _) = told(&wismo(&["check", "--config", &file], &[]));
    assert!(problems[0].starts_with(&format!("{file}:2: carriers.dir: /nonexistent/carriers: ")), "{problems:?}");
    assert!(problems[1].starts_with(&format!("{file}:4: accounts.a.carrier: \"upss\"")), "{problems:?}");
    let (problems, code) = told(&wismo(&["detect", "X", "--config", &file], &[]));
    assert_eq!((problems.len(), code), (2, Some(78)), "accounts are not its business: {problems:?}");
}

/// What a private server needs is found out by `check`, not by the first night.
#[test]
fn check_tries_the_private_servers_program() {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        write(&path, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let old = program("old", "#!/bin/sh\necho 'Redis server v=6.2.7 sha=0 bits=64'\n", 0o755);
    let closed = program("closed", "#!/bin/sh\n", 0o644);
    let other = program("other", "#!/bin/sh\necho hello\n", 0o755);
    let good = program("good", "#!/bin/sh\necho 'Valkey server v=8.1.0 sha=0'\n", 0o755);
    let check = |program: &str| told(&wismo(&["check"], &[("WISMO__PRIVATE_REDIS__PROGRAM", program)]));
    for (program, said) in [
        ("/nonexistent/redis", "there is no program /nonexistent/redis"),
        (&old, "has version 6.2.7"),
        (&closed, "may not be executed"),
        (&other, "is neither a Redis nor a Valkey server"),
    ] {
        let (problems, code) = check(program);
        assert_eq!(code, Some(78), "{problems:?}");
        assert!(problems[0].contains("private_redis.program: ") && problems[0].contains(said), "{problems:?}");
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
    assert!(check("/nonexistent/redis").0[0].contains("apt install redis-server"));
    assert_eq!(check(&good).1, Some(0));
    // With a server of the operator's own, nothing is tried.
    let environment =
        [("WISMO__PRIVATE_REDIS__PROGRAM", "/nonexistent/redis"), ("WISMO__REDIS__URL", "redis://127.0.0.1:1/")];
    assert_eq!(wismo(&["check"], &environment).status.code(), Some(0));
}

/// The list syntax that the default configuration's head tells, the sizes and spans of new keys.
#[test]
fn lists_of_the_environment_are_written_with_commas() {
    let good = [
        ("WISMO__WEBHOOK__ALLOW_NETS", "10.1.2.0/24, 127.0.0.1/32"),
        ("WISMO__WEBHOOK__EXTRA_PORTS", ""),
        ("WISMO__WEBHOOK__RETRY", "0s,5s,1m"),
        ("WISMO__WEBHOOK__CLAIM_MARGIN", "3s"),
        ("WISMO__PRIVATE_REDIS__MAX_MEMORY", "512mb"),
    ];
    assert_eq!(wismo(&["check"], &good).status.code(), Some(0));
    for (name, value, said) in [
        ("WISMO__WEBHOOK__ALLOW_NETS", "[\"10.1.2.0/24\"]", "is no network"),
        ("WISMO__WEBHOOK__RETRY", "", "one wait at least"),
        ("WISMO__WEBHOOK__CLAIM_MARGIN", "10ms", "out of range"),
        ("WISMO__PRIVATE_REDIS__MAX_MEMORY", "1mb", "is too little"),
        ("WISMO__PRIVATE_REDIS__MAX_MEMORY", "lots", "is no size"),
    ] {
        let (problems, code) = told(&wismo(&["check"], &[(name, value)]));
        assert_eq!(code, Some(78), "{name}={value}");
        assert!(
            problems[0].starts_with(&format!("environment {name}: ")) && problems[0].contains(said),
            "{problems:?}"
        );
    }
}

/// What many loops over many shards come upon many times a second is told once for each cause, with its count.
#[tokio::test]
async fn a_store_that_fails_does_not_flood_the_log() {
    let house = Plan::new().open().await;
    let mut connection =
        redis::Client::open(house.redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let rules = ["-zrangebyscore", "-zrange"];
    redis::cmd("ACL").arg("SETUSER").arg("default").arg(&rules).exec_async(&mut connection).await.unwrap();
    let told = |event: &str| -> Vec<Value> {
        let log = house.first().log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    };
    for event in ["store_part_failed", "timers_unreadable"] {
        let again = house.first().logged(event, 2).await;
        let lines = told(event);
        assert!(lines.len() < 4, "{lines:?}");
        assert!(lines.iter().all(|line| line.to_string().len() < 500), "{lines:?}");
        assert!(lines[0]["error"].as_str().unwrap().contains("permissions"), "{lines:?}");
        assert!(again["times"].as_u64().unwrap() > 20, "it stands for all that was not told: {again}");
    }
}

/// A body that is no JSON is not the fault of a field; one that is JSON and wrong is.
#[tokio::test]
async fn a_body_that_is_no_json_is_told_with_line_and_column() {
    let house = Plan::new().open().await;
    let shop = house.shop("boutique").await;
    for (body, place) in [
        ("{\"number\": \"X\",\n  \"carrier\" \"ups\"}", "line 2, column 13"),
        ("{\"number\": \"X", "line 1, column 13"),
        ("{\"number\": \"X\"} more", "line 1, column 17"),
        ("", "line 1, column 0"),
    ] {
        let (status, told) = shop.ask("POST", "/v1/trackers", Some(body)).await;
        assert_eq!(status, 400, "{told}");
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("the body is not JSON: {place}: ")), "{body}: {detail}");
        assert!(told["field"].is_null(), "{told}");
    }
    let (status, told) = shop.ask("POST", "/v1/trackers", Some("{\"number\": 7}")).await;
    assert_eq!((status, &told["field"]), (400, &json!("number")), "{told}");
}

/// A private server has the limit that is configured, half of the memory where nothing is; nobody is warned of it.
#[tokio::test]
async fn the_private_server_has_a_limit_of_memory() {
    for (given, expected) in
        [("", None), ("max_memory = \"64mb\"", Some("67108864")), ("max_memory = \"none\"", Some("0"))]
    {
        let folder = tempfile::Builder::new().prefix("w").tempdir_in("/tmp").unwrap();
        let file = folder.path().join("wismo.toml");
        let text = format!(
            "state_dir = \"{}\"\n[server]\nlisten = \"127.0.0.1:0\"\n[private_redis]\n{given}\n[log]\nformat = \"json\"\n",
            folder.path().display()
        );
        write(&file, &text);
        let log = folder.path().join("log");
        let mut daemon = tokio::process::Command::new(env!("CARGO_BIN_EXE_wismo"))
            .args(["run", "--config", &file.display().to_string()])
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let read = || fs::read_to_string(&log).unwrap_or_default();
        until("readiness", || async { read().contains("\"event\":\"ready\"").then_some(()) }).await;
        let written = fs::read_to_string(folder.path().join("redis/redis.conf")).unwrap();
        let limit = written.lines().find_map(|line| line.strip_prefix("maxmemory ")).unwrap();
        match expected {
            Some(expected) => assert_eq!(limit, expected),
            None => assert!(limit.parse::<u64>().unwrap() > 32 << 20, "{limit}"),
        }
        assert!(!read().contains("maxmemory"), "{}", read());
        let pid = daemon.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(daemon.wait().await.unwrap().success(), "{}", read());
    }
}

/// What a killed daemon had claimed comes back when the claim ends, as configured, and not before.
#[tokio::test]
async fn a_killed_daemons_claims_end_with_the_configured_margin() {
    let mut house =
        Plan::new().webhook("timeout = \"10s\"\nclaim_margin = \"2s\"\nretry = [\"0s\", \"100ms\"]").open().await;
    let shop = house.shop("boutique").await;
    // Accepts and never answers: the delivery is in flight for as long as the daemon lives.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let (status, endpoint) = shop.post("/v1/endpoints", &json!({ "url": url })).await;
    assert_eq!(status, 201, "{endpoint}");
    shop.track("SANDBOX-DELIVERED-1").await;
    let (_held, _) = silent.accept().await.unwrap();
    house.daemons[0].kill().await;
    let mut connection =
        redis::Client::open(house.redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let queues: Vec<String> = redis::cmd("KEYS")
        .arg(format!("wismo:*:deliver:{}", endpoint["id"].as_str().unwrap()))
        .query_async(&mut connection)
        .await
        .unwrap();
    let mut leases = Vec::new();
    for queue in queues {
        let due: Vec<(String, i64)> = redis::cmd("ZRANGE")
            .arg(queue)
            .arg(0)
            .arg(-1)
            .arg("WITHSCORES")
            .query_async(&mut connection)
            .await
            .unwrap();
        leases.extend(due.into_iter().map(|(_, at)| at));
    }
    let (seconds, _): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await.unwrap();
    // Timeout and margin are 12 seconds; with the default margin it would be 20.
    assert_eq!(leases.len(), 1, "one parcel is in flight");
    assert!(leases[0] <= (seconds + 1) * 1000 + 12_000, "the claim ends {} ms from now", leases[0] - seconds * 1000);
    let second = house.daemon().await;
    house.daemons.push(second);
    until("the delivery, from the second daemon", || async {
        tokio::time::timeout(Duration::from_millis(100), silent.accept()).await.ok()
    })
    .await
    .unwrap();
}
