//! `wismo carriers new` and `wismo carriers test`, as whoever writes a carrier uses them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn wismo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A new carrier in a folder of its own.
struct Acme {
    dir: tempfile::TempDir,
}

impl Acme {
    fn new() -> Self {
        let acme = Self { dir: tempfile::tempdir().unwrap() };
        let made = wismo(&["carriers", "new", "acme_post", "--dir", &acme.root()]);
        assert_eq!(code(&made), 0, "{made:?}");
        acme
    }

    fn root(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("acme_post").join(name)
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.file(name)).unwrap();
        assert!(before.contains(from), "{name} holds {from:?}");
        fs::write(self.file(name), before.replacen(from, to, 1)).unwrap();
    }

    fn test(&self, more: &[&str]) -> Output {
        let root = self.root();
        wismo(&[&["carriers", "test", root.as_str()], more].concat())
    }

    /// What is told in JSON: the exit code and every finding.
    fn findings(&self, more: &[&str]) -> (i32, Vec<Value>) {
        let output = self.test(&[&["--json"], more].concat());
        let told: Value = serde_json::from_str(&text(&output)).unwrap();
        (code(&output), told["carriers"][0]["findings"].as_array().unwrap().clone())
    }

    /// The findings that are errors, as kind and place.
    fn errors(&self) -> Vec<(String, String)> {
        let (code, findings) = self.findings(&[]);
        let errors = findings.iter().filter(|finding| finding["warning"] == false);
        let place = |finding: &Value| finding["key"].as_str().or(finding["file"].as_str()).unwrap().to_owned();
        let errors: Vec<_> = errors.map(|f| (f["kind"].as_str().unwrap().to_owned(), place(f))).collect();
        assert_eq!(code, i32::from(!errors.is_empty()), "{errors:?}");
        errors
    }
}

fn pair(kind: &str, place: &str) -> (String, String) {
    (kind.to_owned(), place.to_owned())
}

#[test]
fn a_new_carrier_proves_itself_and_says_what_is_to_be_written() {
    let acme = Acme::new();
    let (code_, findings) = acme.findings(&[]);
    assert_eq!(code_, 0, "{findings:?}");
    let lines: Vec<u64> =
        findings.iter().filter(|f| f["kind"] == "unfinished").map(|f| f["line"].as_u64().unwrap()).collect();
    let definition = fs::read_to_string(acme.file("carrier.toml")).unwrap();
    let marked: Vec<u64> =
        (1..).zip(definition.lines()).filter(|(_, l)| l.contains("FILL IN")).map(|(n, _)| n).collect();
    assert!(lines.len() > 5 && lines == marked, "{lines:?} {marked:?}");
    assert!(findings.iter().any(|f| f["kind"] == "kinds" && f["message"].as_str().unwrap().contains("other_shape")));
    assert!(findings.iter().any(|f| f["kind"] == "untouched" && f["key"] == "codes[0]"), "{findings:?}");
    assert_eq!(code(&acme.test(&["--strict"])), 1, "warnings fail where everything has to be clean");
    let again = wismo(&["carriers", "new", "acme_post", "--dir", &acme.root()]);
    assert_eq!(code(&again), 64, "nothing is written over");
    assert_eq!(code(&wismo(&["carriers", "new", "No Code", "--dir", &acme.root()])), 64);
}

#[test]
fn a_request_for_one_number_cannot_ask_for_ten() {
    let acme = Acme::new();
    acme.change("carrier.toml", "numbers_per_call = 1", "numbers_per_call = 10");
    assert_eq!(acme.errors(), [pair("definition", "limits.default.numbers_per_call")]);
    acme.change("carrier.toml", "parcels/{{ number | urlencode }}", "parcels/{{ numbers | join }}");
    assert!(!acme.errors().contains(&pair("definition", "limits.default.numbers_per_call")));
}

#[test]
fn the_folder_of_one_carrier_is_enough_and_what_is_not_there_is_wrong_use() {
    let acme = Acme::new();
    let one = wismo(&["carriers", "test", &acme.file("").display().to_string()]);
    assert_eq!(code(&one), 0, "{}", text(&one));
    assert!(text(&one).contains("acme_post") && text(&one).contains("1 sample"), "{}", text(&one));
    assert!(!text(&one).contains('\u{1b}'), "no colour where no terminal is");
    assert_eq!(code(&acme.test(&["--carrier", "nobody"])), 64);
    assert_eq!(code(&wismo(&["carriers", "test", "/nonexistent"])), 64);
}

#[test]
fn shared_tables_beside_the_folders_are_read() {
    let acme = Acme::new();
    acme.change(
        "carrier.toml",
        "[[codes]]\non = \"code\"\n[codes.table]\n",
        "[[codes]]\non = \"code\"\ninclude = \"acme\"\n[x]\n",
    );
    let definition = fs::read_to_string(acme.file("carrier.toml")).unwrap();
    let (kept, table) = definition.split_once("[x]\n").unwrap();
    fs::write(acme.file("carrier.toml"), kept).unwrap();
    assert!(acme.errors().contains(&pair("definition", "codes[0].include")));
    let shared = acme.dir.path().join("_shared");
    fs::create_dir(&shared).unwrap();
    let table = table.lines().take_while(|line| line.contains('=')).collect::<Vec<_>>().join("\n");
    fs::write(shared.join("acme.toml"), format!("[[codes]]\n[codes.table]\n{table}\n")).unwrap();
    assert_eq!(acme.errors(), []);
    let (_, findings) = acme.findings(&[]);
    assert!(findings.iter().any(|f| f["key"] == "codes[0] (_shared/acme.toml codes[0])"), "{findings:?}");
    let hunted: Value = serde_json::from_str(&text(&acme.test(&["--mutate", "--json"]))).unwrap();
    assert_eq!(hunted["carriers"][1]["carrier"], "_shared/acme");
    assert_eq!(hunted["carriers"][1]["survivors"].as_array().unwrap().len(), 2, "DELIVERED is in no sample: {hunted}");
}

#[test]
fn what_differs_is_told_place_by_place() {
    let acme = Acme::new();
    acme.change("samples/moving.expect.json", "\"service\": \"Standard\"", "\"service\": \"Express\"");
    acme.change("calls/request.json", "an-invented-key\",", "another-key\",");
    acme.change("calls/request.json", "?lang=fr", "?lang=de");
    let (code_, findings) = acme.findings(&[]);
    assert_eq!(code_, 1);
    let differences: Vec<&Value> =
        findings.iter().flat_map(|f| f["differences"].as_array().into_iter().flatten()).collect();
    assert_eq!(differences[0], &json!({"at": "parcels[0].service", "expected": "Express", "found": "Standard"}));
    let places: Vec<&str> = differences[1..].iter().map(|d| d["at"].as_str().unwrap()).collect();
    assert_eq!(places, ["headers.X-Api-Key", "url"], "{differences:?}");
    let shown = text(&acme.test(&[]));
    assert!(shown.contains("- \"Express\"") && shown.contains("+ \"Standard\""), "{shown}");
}

#[test]
fn codes_that_nobody_mapped_are_errors_unless_they_are_expected() {
    let acme = Acme::new();
    acme.change("carrier.toml", "TRANSIT = \"in_transit\"\n", "");
    let expectation = [
        ("\"status\": \"in_transit\",\n", ""),
        ("\"substatus\": \"in_transit\",\n", ""),
        ("\"substatus\": \"in_transit\", \"effect\": \"moves\", ", ""),
    ];
    for (from, to) in expectation {
        acme.change("samples/moving.expect.json", from, to);
    }
    assert_eq!(acme.errors(), [pair("unmapped", "parcels[0].events[1]")]);
    acme.change(
        "samples/moving.expect.json",
        "\"code\": \"TRANSIT\",",
        "\"code\": \"TRANSIT\", \"effect\": \"unmapped\",",
    );
    assert_eq!(acme.errors(), []);
}

#[test]
fn rules_for_everything_are_refused() {
    let everything = "http = [\"100-599\"]\nis = \"carrier_fault\"\n[[outcome]]\nwhen = \"1 == 1\"\nis = \"throttled\"\n[[outcome]]\ntext = '.'\nis = \"drifted\"\n[[outcome]]\n";
    let acme = Acme::new();
    acme.change("carrier.toml", "[[outcome]]\nhttp = [\"2xx\"]", &format!("[[outcome]]\n{everything}http = [\"2xx\"]"));
    acme.change("carrier.toml", "[[codes]]\non = \"code\"", "[[codes]]\non = \"'x' ~ ''\"\ntable = { x = \"in_transit\" }\n[[codes]]\non = \"text\"\ntext = [{ contains = [\"e\"], is = \"lost\" }]\n[[codes]]\non = \"code\"");
    acme.change("carrier.toml", "'^[A-Z]{2}\\d{9}[A-Z]{2}$'\nchecksum = \"s10\"", "'^.+$'\nchecksum = \"none\"");
    let refused: Vec<String> = acme.errors().into_iter().filter(|e| e.0 == "catch_all").map(|e| e.1).collect();
    assert_eq!(refused, ["numbers[0]", "outcome[5]", "outcome[6]", "outcome[7]", "codes[0]", "codes[1]"]);
}

#[test]
fn an_expression_that_fails_is_told() {
    let acme = Acme::new();
    acme.change("carrier.toml", "service = \"service\"", "service = [\"p.service | strftime('%Y')\", \"service\"]");
    let (_, findings) = acme.findings(&[]);
    let told = findings.iter().find(|f| f["kind"] == "expression").unwrap();
    assert!(told["message"].as_str().unwrap().contains("strftime"), "{told}");
}

#[test]
fn a_name_belongs_to_one_carrier() {
    let acme = Acme::new();
    assert_eq!(code(&wismo(&["carriers", "new", "other", "--dir", &acme.root()])), 0);
    assert_eq!(code(&acme.test(&[])), 0);
    acme.change("carrier.toml", "aliases = []", "aliases = [\"Other\"]");
    let told = text(&acme.test(&[]));
    assert!(told.contains("\"other\" means other, too") && told.contains("\"other\" means acme_post, too"), "{told}");
    let alone = wismo(&["carriers", "test", &acme.file("").display().to_string()]);
    assert_eq!(code(&alone), 1, "{}", text(&alone));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let acme = Acme::new();
    fs::write(acme.file("samples/delivered.json"), "{}").unwrap();
    fs::write(acme.file("samples/lonely.expect.json"), "{}").unwrap();
    fs::write(acme.file("calls/empty.json"), r#"{"about": "x", "of": "request"}"#).unwrap();
    acme.change("samples/moving.expect.json", "\"outcome\": \"ok\",", "\"outcom\": \"ok\",");
    let named: Vec<String> = acme.errors().into_iter().map(|error| error.1).collect();
    let all = ["samples/delivered.json", "samples/moving.json", "samples/lonely.expect.json", "calls/empty.json"];
    assert_eq!(named, all);
    fs::write(acme.file("carrier.toml"), "schema = 1\ncod = \"acme_post\"\n").unwrap();
    assert!(acme.errors().iter().all(|error| error.0 == "definition"));
}

#[test]
fn a_field_that_gives_nothing_and_a_code_that_was_answered_before_are_named() {
    let acme = Acme::new();
    acme.change("carrier.toml", "service = \"service\"", "service = \"servcie\"");
    let table = "[[codes]]\non = \"code\"\ntable = { TRANSIT = \"in_transit\" }\n";
    acme.change("carrier.toml", "[[codes]]\n", &format!("{table}[[codes]]\n"));
    let (_, findings) = acme.findings(&[]);
    let told = |key: &str| {
        let about = findings.iter().filter(|f| f["key"] == key && f["line"].is_u64());
        about.map(|f| f["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told("map.parcel.service"), ["`servcie` gives nothing in any sample"]);
    let codes = told("codes[1]");
    assert!(codes.iter().any(|m| m.starts_with("codes[0] (line ") && m.contains("answers TRANSIT first")), "{codes:?}");
    assert!(codes.iter().all(|m| !m.contains("no sample has TRANSIT")), "{codes:?}");
    acme.change("samples/moving.expect.json", "\"outcome\": \"ok\",", "\"patial\": true, \"outcome\": \"ok\",");
    let (_, findings) = acme.findings(&[]);
    let shown = serde_json::to_string(&findings).unwrap();
    assert!(shown.contains("did you mean \\\"partial\\\"") && shown.contains("http_status"), "{shown}");
    assert!(!shown.contains("starts with moving") && !shown.contains("no sample has"), "{shown}");
}

#[test]
fn a_time_that_no_format_fits_is_named() {
    let acme = Acme::new();
    let definition = fs::read_to_string(acme.file("carrier.toml")).unwrap();
    let (key, time) = definition.lines().find_map(|l| l.split_once("= [{ iso =").map(|_| ("time", l))).unwrap();
    acme.change("carrier.toml", time, &time.replace("{ iso =", "{ formats = [\"%d/%m/%y\"], text ="));
    let (_, findings) = acme.findings(&[]);
    let told = findings.iter().find(|f| f["key"] == format!("map.events.{key}")).unwrap();
    assert!(told["message"].as_str().unwrap().ends_with("fits none of the formats") && told["line"].is_u64(), "{told}");
    assert!(text(&acme.test(&[])).contains("- is what the file expects, + is what came out"));
    let shown = text(&acme.test(&[]));
    let sample = acme.file("samples/moving.json");
    assert!(shown.contains(&sample.display().to_string()), "files are named as they can be opened: {shown}");
}

#[test]
fn a_built_in_carrier_is_copied_and_never_replaced_by_a_blank_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().display().to_string();
    let blank = wismo(&["carriers", "new", "ups", "--dir", &root]);
    let told = String::from_utf8(blank.stderr.clone()).unwrap();
    assert!(code(&blank) == 64 && told.contains("--from ups"), "{told}");
    assert_eq!(code(&wismo(&["carriers", "new", "ups", "--from", "upz", "--dir", &root])), 64);
    for name in ["ups", "like_ups"] {
        let made = wismo(&["carriers", "new", name, "--from", "ups", "--dir", &root]);
        assert_eq!(code(&made), 0, "{made:?}");
    }
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/carriers/ups/carrier.toml");
    let (written, compiled) = (fs::read_to_string(dir.path().join("ups/carrier.toml")), fs::read_to_string(here));
    assert_eq!(written.unwrap(), compiled.unwrap());
    let listed = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wismo"));
        let command =
            command.args(arguments).env_clear().env("HOME", "/nonexistent").env("WISMO__CARRIERS__DIR", &root);
        text(&command.output().unwrap())
    };
    let all = listed(&["carriers", "list"]);
    let marked: Vec<&str> = all.lines().filter(|line| line.contains("(yours: ")).collect();
    assert!(marked.len() == 2 && marked[0].contains("like_ups/carrier.toml"), "{all}");
    assert!(listed(&["carriers", "show", "like_ups"]).contains("(yours: "), "the copy has no alias of another's");
    let told: Value = serde_json::from_str(&listed(&["carriers", "show", "dhl", "--json"])).unwrap();
    assert_eq!(told["own_definition"], Value::Null);
}

#[test]
fn an_alias_that_a_built_in_carrier_has_is_told() {
    let acme = Acme::new();
    acme.change("carrier.toml", "aliases = []", "aliases = [\"ups\"]");
    assert_eq!(acme.errors(), [pair("definition", "aliases")]);
}

#[test]
fn answers_of_token_calls_are_held_too() {
    let acme = Acme::new();
    let token = "kind = \"oauth2\"\n[auth.token]\nurl = \"{{ base_url }}/token\"\nform = { id = \"{{ credentials.key }}\" }\nvalue = \"t\"\nexpires_in = \"life\"\n";
    acme.change("carrier.toml", "kind = \"headers\"", &format!("{token}#"));
    acme.change("carrier.toml", "headers = { \"X-Api-Key\" = \"{{ credentials.key }}\" }", "");
    fs::remove_file(acme.file("calls/request.json")).unwrap();
    let vector = |t: &str, expires: &str| {
        json!({"about": "by hand", "of": "token", "credentials": {"key": "a b"}, "now": "2026-03-12T12:00:00Z",
            "expect": {"method": "POST", "url": "https://api.example.com/token", "body": "id=a+b", "headers": {"X": null}},
            "answer": {"json": {"t": "abc", "life": 600}, "gives": {"token": t, "expires_at": expires}}})
    };
    let file = acme.file("calls/token.json");
    fs::write(&file, vector("abc", "2026-03-12T12:10:00Z").to_string()).unwrap();
    assert_eq!(acme.errors(), []);
    fs::write(&file, vector("abd", "2026-03-12T12:20:00Z").to_string()).unwrap();
    let (_, findings) = acme.findings(&[]);
    let differ = findings.iter().find(|f| f["kind"] == "call").unwrap();
    let places: Vec<&str> =
        differ["differences"].as_array().unwrap().iter().map(|d| d["at"].as_str().unwrap()).collect();
    assert_eq!(places, ["answer.expires_at", "answer.token"]);
}

#[test]
fn alterations_that_nothing_notices_are_listed() {
    let acme = Acme::new();
    let output = acme.test(&["--mutate", "--json"]);
    assert_eq!(code(&output), 1);
    let told: Value = serde_json::from_str(&text(&output)).unwrap();
    let survivors: Vec<&Value> = told["carriers"][0]["survivors"].as_array().unwrap().iter().collect();
    let has = |key: &str| survivors.iter().any(|survivor| survivor["key"] == key);
    assert!(has("codes[0].table.DELIVERED") && has("outcome[3]") && has("environments.sandbox.base_url"), "{told}");
    for noticed in
        ["codes[0].table.TRANSIT", "map.parcel.service", "map.events.time[0].iso", "request.url", "answer.parcels"]
    {
        assert!(!has(noticed), "{noticed} is in a sample or a vector: {told}");
    }
    let tested = Path::new(env!("CARGO_MANIFEST_DIR")).join("carriers");
    let good = wismo(&["carriers", "test", &tested.display().to_string(), "--carrier", "laposte", "--mutate"]);
    assert_eq!(code(&good), 0, "{}", text(&good));
    acme.change("samples/moving.expect.json", "Standard", "Express");
    let refused: Value = serde_json::from_str(&text(&acme.test(&["--mutate", "--json"]))).unwrap();
    assert!(refused["carriers"][0]["refused"].as_str().unwrap().contains("problem"), "{refused}");
}

#[test]
fn an_operator_is_shown_what_an_account_needs() {
    let shown = text(&wismo(&["carriers", "show", "ups"]));
    for wanted in
        ["developer.ups.com", "https://wwwcie.ups.com", "confidence", "OAuth 2", "[accounts.my_ups]", "not published"]
    {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let told: Value = serde_json::from_str(&text(&wismo(&["carriers", "show", "ups", "--json"]))).unwrap();
    assert_eq!((&told["protocol"], &told["auth"]), (&json!("JSON by GET"), &json!("OAuth 2")));
    assert_eq!(told["addresses"]["sandbox"], "https://wwwcie.ups.com");
    assert!(told["facts"][0]["confidence"].is_string());
}
