//! The house keeps its shape: which room may use which, and which library is named where.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the ground up, with what each may import beside the always allowed.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("tls", &[]),
    ("spelling", &[]),
    ("settings", &["model", "spelling"]),
    ("telemetry", &["settings", "clock"]),
    ("carrier", &["model", "spelling"]),
    ("tracking", &["model"]),
    ("proving", &["model", "carrier", "tracking", "spelling"]),
    ("store", &["model", "clock", "telemetry"]),
    ("polling", &["model", "carrier", "tracking", "store", "clock", "telemetry", "tls"]),
    ("webhook", &["model", "store", "clock", "telemetry"]),
    ("simulator", &["clock"]),
    (
        "api",
        &["model", "carrier", "tracking", "store", "polling", "webhook", "settings", "clock", "telemetry", "spelling"],
    ),
    (
        "daemon",
        &[
            "model",
            "carrier",
            "tracking",
            "store",
            "polling",
            "webhook",
            "api",
            "settings",
            "telemetry",
            "simulator",
            "spelling",
            "clock",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "carrier",
            "tracking",
            "proving",
            "store",
            "webhook",
            "api",
            "daemon",
            "settings",
            "telemetry",
            "simulator",
            "spelling",
            "clock",
            "tls",
        ],
    ),
];

/// Libraries that only some rooms may name.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("redis", &["store"]),
    ("reqwest", &["polling", "webhook", "cli"]),
    ("axum", &["api", "simulator"]),
    ("hyper", &["api"]),
    ("minijinja", &["carrier"]),
    ("roxmltree", &["carrier", "simulator"]),
    ("anyhow", &["cli"]),
    ("clap", &["cli"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&all, &mut found);
    // What only tests compile may use what it likes.
    found.retain(|(path, _)| {
        let mut parts = path.strip_prefix(&all).unwrap().components();
        !parts.any(|part| ["testing", "tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
    });
    assert!(found.len() > 50, "the walk found the sources");
    found
}

fn room_of(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    below.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Lines that are code: no comments; the tests inside a file may use what they like.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Names after `crate::` in a line.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, found)| {
        let rest = &line[at + found.len()..];
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    })
}

#[test]
fn rooms_import_only_downwards() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let room = room_of(&path);
        if room == "main" || room == "lib" {
            continue;
        }
        let Some(may) = allowed.get(room.as_str()) else {
            panic!("{room} is no room that this test knows: say what it may import")
        };
        for (number, line) in code(&text) {
            for import in imports(line) {
                if allowed.contains_key(import) && import != room && !may.contains(&import) {
                    wrong.push(format!("{}:{}: {room} imports {import}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let room = room_of(&path);
        for (number, line) in code(&text) {
            for (library, rooms) in LIBRARIES {
                let named = [format!("{library}::"), format!("use {library};")].iter().any(|pattern| {
                    line.match_indices(pattern.as_str()).any(|(at, _)| {
                        let before = line[..at].chars().next_back();
                        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
                    })
                });
                if named && !rooms.contains(&room.as_str()) {
                    wrong.push(format!(
                        "{}:{}: {library} belongs into {}",
                        path.display(),
                        number + 1,
                        rooms.join(", ")
                    ));
                }
            }
            if line.contains("backoff::") && !line.contains("super::backoff::") && !path.ends_with("polling/backoff.rs")
            {
                wrong.push(format!(
                    "{}:{}: backoff is named in src/polling/backoff.rs alone",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path.ends_with("src/clock.rs") {
            continue;
        }
        for (number, line) in code(&text) {
            if ["SystemTime::now", "Timestamp::now", "Zoned::now", "std::time::Instant"]
                .iter()
                .any(|word| line.contains(word))
            {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_rooms_do_no_io_and_read_no_clock() {
    for (path, text) in sources() {
        let room = room_of(&path);
        if !["model", "tracking"].contains(&room.as_str()) && !path.ends_with("polling/schedule.rs") {
            continue;
        }
        for (number, line) in code(&text) {
            for word in ["tokio", "std::fs", "std::net", "std::env", "crate::clock", "getrandom", "async "] {
                assert!(!line.contains(word), "{}:{}: {word} in a pure room", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if lines > 600 {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Logs are read by machines: what a line is about is in its `event`.
#[test]
fn every_log_line_names_its_event() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let code: String = code(&text).map(|(_, line)| format!("{line}\n")).collect();
        for level in ["error", "warn", "info", "debug"] {
            for (at, start) in code.match_indices(&format!("tracing::{level}!(")) {
                if !code[at + start.len()..].trim_start().starts_with("event = ") {
                    wrong.push(format!("{}: {}", path.display(), code[at..].lines().next().unwrap_or_default()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
