//! What systemd's own offline tools say of the unit and of each drop-in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MISSING: &str = "systemd-analyze is missing: `make test` installs it (package systemd)";

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(arguments).arg(unit).env("LC_ALL", "C.UTF-8").output().expect(MISSING)
}

/// The unit alone or with a drop-in, in a folder of its own, with a program that exists.
fn staged(drop_in: Option<&Path>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_wismo");
    let here = |path: PathBuf| fs::read_to_string(path).unwrap().replace("/usr/bin/wismo", program);
    let unit = folder.path().join("wismo.service");
    fs::write(&unit, here(source("wismo.service"))).unwrap();
    if let Some(drop_in) = drop_in {
        let beside = folder.path().join("wismo.service.d");
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("50.conf"), here(drop_in.to_owned())).unwrap();
    }
    (folder, unit)
}

fn drop_ins() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(source("examples")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 3, "{found:?}");
    found
}

#[test]
fn the_unit_and_its_drop_ins_are_sound_and_hardened() {
    let mut scores = String::new();
    for drop_in in std::iter::once(None).chain(drop_ins().into_iter().map(Some)) {
        let (_folder, unit) = staged(drop_in.as_deref());
        let what = drop_in.as_deref().map_or("alone".into(), |path| path.file_name().unwrap().to_string_lossy());
        // A key that is not known is only a warning: silence counts, not the code.
        let verified = analyze(&["verify", "--man=no"], &unit);
        let said = [verified.stdout, verified.stderr].concat();
        assert!(verified.status.success() && said.is_empty(), "{what}: {}", String::from_utf8_lossy(&said));
        // In tenths.
        let judged = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=12"], &unit);
        let text = String::from_utf8_lossy(&judged.stdout).into_owned();
        let score = text.lines().last().unwrap_or_default().to_owned();
        assert!(judged.status.success() && score.contains("exposure level"), "{what}: {text}");
        scores.push_str(&format!("{what}: {score}\n"));
    }
    println!("{scores}");
}

#[test]
fn a_unit_with_a_mistake_is_noticed() {
    let (_folder, unit) = staged(None);
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, text.replace("WatchdogSec=60s", "WatchdogSecond=60s")).unwrap();
    let verified = analyze(&["verify", "--man=no"], &unit);
    assert!(!verified.stderr.is_empty(), "verify is awake");
    fs::write(&unit, text.replace("SystemCallFilter", "#").replace("CapabilityBoundingSet", "#")).unwrap();
    let judged = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=12"], &unit);
    assert!(!judged.status.success(), "the threshold is awake");
}

/// The page for operators names the score and each check that stays open, as the tool tells them.
#[test]
fn the_operators_page_lists_what_is_left_open() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operators.md")).unwrap();
    let (_folder, unit) = staged(None);
    let judged = analyze(&["security", "--offline=yes", "--no-pager"], &unit);
    let text = String::from_utf8_lossy(&judged.stdout).into_owned();
    let open: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix('✗')?.split_whitespace().next()).collect();
    assert!(!open.is_empty(), "{text}");
    for check in open {
        assert!(page.contains(&format!("`{check}`")), "docs/operators.md does not say what {check} is for");
    }
    let score = text.lines().last().unwrap().split_whitespace().find(|word| word.parse::<f32>().is_ok()).unwrap();
    assert!(page.contains(&format!("**{score}**")), "docs/operators.md does not name the score {score}");
}
