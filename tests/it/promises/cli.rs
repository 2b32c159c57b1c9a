//! The command line as people and scripts use it: exit codes, all problems at once, JSON that others rely on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the program with a bare environment: nothing of the machine's own configuration leaks in.
fn wismo(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").env("PATH", std::env::var_os("PATH").unwrap());
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("it died: {output:?}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    let printed = text(&output.stdout);
    assert_eq!(printed.trim_end().lines().count(), 1, "one line of JSON where no terminal is: {printed}");
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

fn config(folder: &Path, body: &str) -> String {
    let file = folder.join("wismo.toml");
    fs::write(&file, body).unwrap();
    file.display().to_string()
}

#[test]
fn check_reports_every_problem_at_once_with_file_key_and_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(
        folder.path(),
        r#"
[server]
lisen = "127.0.0.1:0"
[webhook]
allow_nets = ["10.0.0.0/99"]
timeout = "soon"
[polling.intervals]
in_transt = "3h"
[accounts.parcels]
carrier = "upss"
shops = "*"
"#,
    );
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/10-more.toml"), "[log]\nformat = \"xml\"\n").unwrap();
    let output = command(&["check", "--config", &file]).env("WISMO__SHUTDOWN__DEADLIN", "3s").output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(code(&output), 78, "{told}");
    assert!(output.stdout.is_empty());
    for part in [
        "wismo.toml:3: server.lisen: unknown key; did you mean \"listen\"?",
        "webhook.allow_nets",
        "10.0.0.0/99",
        "webhook.timeout: \"soon\" is no duration",
        "polling.intervals.in_transt: unknown key; did you mean \"in_transit\"?",
        "10-more.toml:2: log.format",
        "shutdown.deadlin: unknown key; did you mean \"deadline\"?",
    ] {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
    assert!(told.lines().all(|line| line.starts_with("wismo: ")), "{told}");
}

#[test]
fn check_judges_accounts_by_their_carriers() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(
        folder.path(),
        r#"
[accounts.a]
carrier = "upss"
shops = "*"
[accounts.b]
carrier = "laposte"
environment = "moon"
shops = ["x"]
[accounts.b.credentials]
keey = "SECRET-THAT-MUST-NOT-SHOW"
[accounts.c]
carrier = "mondialrelay"
shops = ["x"]
"#,
    );
    for subcommand in ["check", "run"] {
        let output = wismo(&[subcommand, "--config", &file]);
        let told = text(&output.stderr);
        assert_eq!(code(&output), 78, "{told}");
        for part in [
            "accounts.a.carrier: \"upss\" is no carrier; did you mean \"ups\"?",
            "accounts.b.environment: \"moon\" is none of",
            "accounts.b.credentials: key is missing",
            "accounts.b.credentials.keey: \"keey\" is no credential of laposte",
            "accounts.c.credentials",
        ] {
            assert!(told.contains(part), "{subcommand}: {part} is missing in\n{told}");
        }
        assert!(!told.contains("SECRET-THAT"), "{told}");
    }
}

/// A rule of the settings and a rule of the carriers are both told: nobody mends a file twice.
#[test]
fn check_tells_problems_of_settings_and_of_accounts_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), "[server]\nlisen = \"x\"\n[accounts.a]\ncarrier = \"upss\"\nshops = \"*\"\n");
    let output = wismo(&["check", "--config", &file]);
    let told = text(&output.stderr);
    assert_eq!(code(&output), 78, "{told}");
    for part in ["server.lisen: unknown key", "accounts.a.carrier: \"upss\" is no carrier"] {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
}

#[test]
fn check_accepts_the_documented_default_and_says_what_it_found() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/config/wismo.toml");
    for arguments in [vec!["check"], vec!["check", "--config", default]] {
        let output = wismo(&arguments);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let known = format!("The configuration is good: 0 accounts, {} carriers known.", folders().len());
        assert!(text(&output.stdout).starts_with(&known), "{}", text(&output.stdout));
    }
    let missing = wismo(&["check", "--config", "/nonexistent/wismo.toml"]);
    assert_eq!(code(&missing), 78);
    assert!(text(&missing.stderr).contains("/nonexistent/wismo.toml"), "{missing:?}");
}

#[test]
fn wrong_use_is_64_bad_data_65_nothing_there_69() {
    let wrong_use: [&[&str]; 8] = [
        &[],
        &["fly"],
        &["run", "--speed", "9"],
        &["normalize", "ups"],
        &["normalize", "nobody", "-"],
        &["carriers", "show", "nobody"],
        &["demo", "--sabotage", "tea"],
        &["shops", "add", "Not A Name"],
    ];
    for arguments in wrong_use {
        let output = wismo(arguments);
        assert_eq!(code(&output), 64, "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(code(&wismo(&["normalize", "ups", "/nonexistent/answer.json"])), 65);
    // An outcome that is not good is an answer, too: it is in what is printed.
    for arguments in [&["detect", "no number at all!"][..], &["normalize", "ups", "-"]] {
        assert_eq!(code(&wismo(arguments)), 0, "{arguments:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().display();
    let nothing_there =
        config(folder.path(), &format!("state_dir = \"{state}\"\n[redis]\nurl = \"redis://127.0.0.1:1/\"\n"));
    assert_eq!(code(&wismo(&["shops", "add", "shop", "--config", &nothing_there])), 69);
    let no_program = config(
        folder.path(),
        &format!(
            "state_dir = \"{state}\"\n[server]\nlisten = \"127.0.0.1:0\"\n[private_redis]\nprogram = \"/nonexistent/redis\"\n"
        ),
    );
    let output = wismo(&["run", "--config", &no_program]);
    assert_eq!(code(&output), 69, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("/nonexistent/redis"), "{}", text(&output.stderr));
}

#[test]
fn help_has_examples_and_goes_to_standard_output() {
    for arguments in [
        vec!["--help"],
        vec!["demo", "--help"],
        vec!["detect", "--help"],
        vec!["normalize", "--help"],
        vec!["carriers", "show", "--help"],
        vec!["shops", "add", "--help"],
        vec!["run", "--help"],
        vec!["check", "--help"],
        vec!["carriers", "list", "--help"],
        vec!["carriers", "test", "--help"],
        vec!["carriers", "new", "--help"],
    ] {
        let output = wismo(&arguments);
        let told = text(&output.stdout);
        assert_eq!(code(&output), 0);
        assert!(output.stderr.is_empty());
        let examples = told.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
        assert!(
            examples.clone().any(|line| line.trim_start().starts_with("wismo ")),
            "{arguments:?} has no example:\n{told}"
        );
    }
    assert!(text(&wismo(&["--version"]).stdout).starts_with("wismo "));
}

/// The project's carriers, by their folders.
fn folders() -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("carriers")).unwrap().flatten();
    let folders = entries.filter(|entry| entry.path().join("carrier.toml").is_file());
    let mut codes: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    codes.sort();
    codes
}

#[test]
fn carriers_are_listed_and_shown() {
    let output = wismo(&["carriers", "list"]);
    assert_eq!(code(&output), 0);
    let codes: Vec<String> =
        text(&output.stdout).lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert_eq!(codes, folders());
    let listed = json(&wismo(&["carriers", "list", "--json"]));
    assert_eq!(listed["carriers"].as_array().unwrap().len(), codes.len());
    let sandbox = text(&wismo(&["carriers", "show", "sandbox"]).stdout);
    for number in ["SANDBOX-DELIVERED", "SANDBOX-LATE", "SANDBOX-LOST"] {
        assert!(sandbox.contains(number), "{sandbox}");
    }
    for carrier in &codes {
        let shown = json(&wismo(&["carriers", "show", carrier, "--json"]));
        assert_eq!(shown["code"], carrier.as_str());
        assert!(shown["limits"][0]["source"].as_str().is_some_and(|source| !source.is_empty()), "{shown}");
    }
}

#[test]
fn detect_ranks_candidates_in_the_documented_shape() {
    for given in
        ["1Z12345E0205271686", " 1z 1234 5e02 0527 1686 ", "https://www.ups.com/track?tracknum=1Z12345E0205271686"]
    {
        let output = wismo(&["detect", given, "--json"]);
        assert_eq!(code(&output), 0, "{given}");
        let first = json(&output)["candidates"][0].clone();
        assert_eq!(first["carrier"], "ups", "{given}: {first}");
        assert_eq!(first["number"], "1Z12345E0205271686", "{given}");
        assert_eq!(first["checksum"], "verified", "{given}");
        let mut keys: Vec<&String> = first.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["carrier", "checksum", "format", "number", "score"]);
    }
    let many = json(&wismo(&["detect", "123456789012", "--json"]));
    let scores: Vec<f64> =
        many["candidates"].as_array().unwrap().iter().map(|c| c["score"].as_f64().unwrap()).collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "best first: {many}");
    let none = json(&wismo(&["detect", "???", "--json"]));
    assert_eq!(none["candidates"], serde_json::json!([]));
    assert!(none["detail"].as_str().unwrap().contains("has numbers of this shape"), "{none}");
}

/// The plainest samples of each carrier: each is a process, and `wismo carriers test` runs all of them in one.
fn samples() -> Vec<(String, PathBuf)> {
    const PLAIN: &[&str] = &["moving", "delivered", "unknown_number", "malformed", "mixed_batch"];
    let carriers = Path::new(env!("CARGO_MANIFEST_DIR")).join("carriers");
    let mut found = Vec::new();
    for folder in fs::read_dir(carriers).unwrap().map(|entry| entry.unwrap()) {
        let Ok(entries) = fs::read_dir(folder.path().join("samples")) else { continue };
        let code = folder.file_name().to_string_lossy().into_owned();
        let plain = |path: &PathBuf| PLAIN.iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name));
        let answers = entries.map(|entry| entry.unwrap().path()).filter(plain);
        found.extend(answers.map(|path| (code.clone(), path)));
    }
    found.sort();
    found
}

/// Keys of the documented parcel; docs/normalize.md is the list.
const PARCEL: [&str; 25] = [
    "number",
    "outcome",
    "message",
    "carrier",
    "status",
    "substatus",
    "who_must_act",
    "service",
    "eta",
    "delivered_at",
    "delivered_to",
    "attempts",
    "first_attempt_at",
    "pickup",
    "partner",
    "pieces",
    "charges",
    "weight",
    "origin",
    "destination",
    "proof",
    "public_url",
    "events",
    "",
    "",
];

#[test]
fn normalize_prints_the_documented_shape_for_every_sample() {
    let documented: Vec<&str> = PARCEL.into_iter().filter(|key| !key.is_empty()).collect();
    let (mut good, mut events) = (0, 0);
    for (carrier, file) in samples() {
        let expected: Value =
            serde_json::from_str(&fs::read_to_string(file.with_extension("expect.json")).unwrap()).unwrap();
        let status = expected["http_status"].as_u64().unwrap_or(200).to_string();
        let path = file.display().to_string();
        let mut arguments = vec!["normalize", &carrier, &path, "--json", "--http-status", &status];
        for number in expected["numbers"].as_array().into_iter().flatten() {
            arguments.extend(["--number", number.as_str().unwrap()]);
        }
        let output = wismo(&arguments);
        let told = json(&output);
        assert_eq!(told["outcome"], expected["outcome"], "{path}");
        assert_eq!(code(&output), 0, "{path}");
        assert!(output.stderr.is_empty(), "{path}: {}", text(&output.stderr));
        let asked = expected["numbers"].as_array().map_or(0, Vec::len);
        let parcels = told["parcels"].as_array().unwrap();
        assert!(asked == 0 || parcels.len() == asked, "{path}: every asked number appears exactly once");
        for parcel in parcels {
            let keys: Vec<&str> = parcel.as_object().unwrap().keys().map(String::as_str).collect();
            if parcel["outcome"] == "ok" {
                good += 1;
                assert!(documented.iter().all(|key| keys.contains(key)), "{path}: {keys:?}");
                events += parcel["events"].as_array().unwrap().iter().map(judge_event).count();
            } else {
                assert_eq!(keys.len(), 3, "{path}: {parcel}");
            }
        }
    }
    assert!(good > 30 && events > 60, "{good} parcels, {events} events");
}

/// No zone is invented, and a date stays a date.
fn judge_event(event: &Value) {
    let time = &event["time"];
    if time.is_null() {
        return;
    }
    match time["precision"].as_str() {
        Some("date") => {
            assert_eq!(time["local"].as_str().unwrap().len(), 10, "{event}");
            assert!(time["utc"].is_null(), "a date is no instant: {event}");
        }
        Some("minute" | "second") => assert_eq!(time["local"].as_str().unwrap().len(), 19, "{event}"),
        other => panic!("{other:?}: {event}"),
    }
    assert_eq!(time["zone_source"] == "none", time["utc"].is_null() || time["precision"] == "date", "{event}");
    assert!(["moves", "note", "unmapped"].iter().any(|effect| event["effect"] == *effect), "{event}");
    if event["effect"] == "unmapped" {
        assert!(event["status"].is_null(), "an unknown code has no status: {event}");
    }
}

#[test]
fn normalize_reads_standard_input_and_explains() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/ups/samples/delivered.json");
    let output = command(&["normalize", "ups", "-", "--json", "--explain"])
        .stdin(fs::File::open(file).unwrap())
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let told = json(&output);
    let explained = told["explain"].as_array().unwrap();
    assert!(
        explained.iter().any(|line| line["source"].as_str().is_some_and(|source| source.contains("codes"))),
        "{told}"
    );
    let read = text(&wismo(&["normalize", "ups", file]).stdout);
    assert!(read.starts_with("outcome: ok\n"), "for people: {read}");
    // Events have one number, in the result and in its explanation.
    let events = told["parcels"][0]["events"].as_array().unwrap();
    assert!(events.len() > 1, "{told}");
    for (at, event) in events.iter().enumerate() {
        for name in ["code", "time"] {
            let field = format!("parcels[0].events[{at}].{name}");
            let line =
                explained.iter().find(|line| line["field"] == field.as_str()).unwrap_or_else(|| panic!("{field}"));
            assert_eq!(line["value"], event[name], "{field}");
        }
        let local =
            format!("{}{}", event["time"]["local"].as_str().unwrap(), event["time"]["offset"].as_str().unwrap_or(""));
        assert!(read.contains(&local), "{local} is missing in\n{read}");
    }
}

#[test]
fn normalize_says_which_times_it_does_not_understand() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/laposte/samples/");
    let sample = fs::read_dir(file).unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
        let text = fs::read_to_string(&path).ok().filter(|_| !path.to_string_lossy().contains(".expect."))?;
        let events = text.contains("\"event\"") && text.contains("\"date\": \"20");
        events.then_some(text)
    });
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("answer.json");
    fs::write(&broken, sample.unwrap().replace("\"date\": \"20", "\"date\": \"the 20")).unwrap();
    let read = text(&wismo(&["normalize", "laposte", &broken.display().to_string()]).stdout);
    assert!(read.contains("not understood: \"the 20"), "{read}");
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let output = wismo(&["find", "1234", "--config", "/nonexistent/wismo.toml"]);
    assert_eq!(code(&output), 64, "{output:?}");
    assert!(text(&output.stderr).contains("the configuration /nonexistent/wismo.toml is not there"), "{output:?}");
}

#[test]
fn a_file_whose_quote_is_never_closed_is_not_read_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parcels.csv");
    fs::write(&file, "number,order\nSANDBOX-LATE-1,1\nSANDBOX-LATE-2\nSANDBOX-LATE-3,\"3\nSANDBOX-LATE-4,4\n").unwrap();
    let output = wismo(&["import", file.to_str().unwrap(), "--check"]);
    assert_eq!(code(&output), 65, "{output:?}");
    let told = text(&output.stderr);
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(
        lines,
        [
            "line 3: 1 cell, and the first line names 2 columns",
            "line 4: a quote opened in line 4 is never closed; nothing after it was read",
        ],
        "{told}"
    );
}

/// Who waits for a daemon that cannot reach its store reads why, soon.
#[test]
fn a_daemon_that_cannot_serve_says_why() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut request).unwrap();
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let body = r#"{"status":503,"detail":"the store does not answer; try again in a moment"}"#;
            let head = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        }
    });
    let mut track = command(&["track", "SANDBOX-LATE-1"]);
    let output = track.env("WISMO_URL", format!("http://{address}")).env("WISMO_API_KEY", "x").output().unwrap();
    assert_eq!(code(&output), 69, "{output:?}");
    assert!(text(&output.stderr).contains("the store does not answer"), "{output:?}");
    assert!((2..10).contains(&asked.load(std::sync::atomic::Ordering::SeqCst)), "asked again, but not for ever");
}

/// An outcome that is not good says why, for people and for machines.
#[test]
fn normalize_gives_the_reason_of_an_outcome_that_is_not_good() {
    let folder = tempfile::tempdir().unwrap();
    let answer = |body: &str| {
        let file = folder.path().join("answer");
        fs::write(&file, body).unwrap();
        file.display().to_string()
    };
    let broken = answer("{\"trackResponse\":\n  {\"shipment\": }}");
    let told = json(&wismo(&["normalize", "ups", &broken, "--json"]));
    assert_eq!(told["outcome"], "drifted");
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("the body cannot be read: not readable as JSON: ") && reason.contains("line 2"), "{told}");
    let read = text(&wismo(&["normalize", "ups", &broken]).stdout);
    assert!(read.starts_with("outcome: drifted\nreason: ") && read.contains("the body cannot be read"), "{read}");
    let empty = json(&wismo(&["normalize", "ups", &answer(""), "--json"]));
    assert!(empty["reason"].as_str().unwrap().contains("the body is empty"), "{empty}");
    let xml = json(&wismo(&["normalize", "mondialrelay", &answer("<a><b></a>"), "--json"]));
    assert!(xml["reason"].as_str().unwrap().contains("not readable as XML"), "{xml}");
    let other = json(&wismo(&["normalize", "ups", &answer("{\"a\": 1}"), "--number", "1Z12345E0205271686", "--json"]));
    assert_eq!(other["outcome"], "drifted", "{other}");
    assert!(!other["reason"].as_str().unwrap().is_empty(), "{other}");
    let refused = answer("{\"response\": {\"errors\": [{\"code\": \"250002\", \"message\": \"x\"}]}}");
    let refused = json(&wismo(&["normalize", "ups", &refused, "--http-status", "401", "--json"]));
    assert!(refused["reason"].as_str().unwrap().contains("the definition's rule outcome["), "{refused}");
    let away = json(&wismo(&["normalize", "ups", &answer("{}"), "--http-status", "503", "--json"]));
    assert!(away["reason"].as_str().unwrap().contains("HTTP status 503"), "{away}");
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/ups/samples/delivered.json");
    assert!(json(&wismo(&["normalize", "ups", good, "--json"]))["reason"].is_null());
}

#[test]
fn detect_tells_a_wrong_check_digit_from_an_unknown_shape() {
    let mistyped = wismo(&["detect", "1Z12345E0205271687"]);
    let told = text(&mistyped.stdout);
    assert!(told.contains("shape of a number of ups") && told.contains("its check digit is wrong"), "{told}");
    let shown = json(&wismo(&["detect", "1Z12345E0205271687", "--json"]));
    assert_eq!(shown["candidates"], serde_json::json!([]));
    assert_eq!((&shown["mistyped"][0]["carrier"], &shown["mistyped"][0]["checksum"]), (&"ups".into(), &"wrong".into()));
    assert!(text(&wismo(&["detect", "???"]).stdout).contains("has numbers of this shape"));
}

#[test]
fn the_columns_of_the_sandboxs_numbers_are_straight() {
    let shown = text(&wismo(&["carriers", "show", "sandbox"]).stdout);
    let lines: Vec<&str> =
        shown.lines().filter(|line| line.starts_with("  SANDBOX-")).filter(|line| line.contains("  ")).collect();
    let starts: Vec<usize> = lines
        .iter()
        .filter_map(|line| {
            let number = 2 + line[2..].find(' ')?;
            Some(number + line[number..].find(|c| c != ' ')?)
        })
        .collect();
    assert!(starts.len() > 10 && starts.iter().all(|start| *start == starts[0]), "{shown}");
}
