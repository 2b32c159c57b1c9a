//! The demonstration and its auditor: clean by itself, and awake: each spoiling shows in the figure that it should.

use serde_json::Value;

async fn play(arguments: &[&str]) -> (i32, Value) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_wismo"))
        .args(["demo", "--seconds", "8", "--json"])
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let figures = serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{error}: {printed} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), figures)
}

fn figure(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("{name} is missing in {report}"))
}

#[tokio::test]
async fn the_demonstration_is_clean() {
    let (code, report) = play(&[]).await;
    assert_eq!(code, 0, "{report}");
    for name in ["quota_violations", "lost", "reordered", "invented"] {
        assert_eq!(figure(&report, name), 0, "{report}");
    }
    assert!(figure(&report, "calls") > 50 && figure(&report, "changes") > 100, "{report}");
    assert_eq!(figure(&report, "webhooks_delivered"), figure(&report, "webhooks_verified"));
    assert!(report["detection_p50_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{report}");
    assert!(report["webhook_p50_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{report}");
}

#[tokio::test]
async fn a_webhook_that_vanishes_shows_as_lost() {
    let (code, report) = play(&["--sabotage", "drop"]).await;
    assert_eq!(code, 1, "{report}");
    assert!(figure(&report, "lost") > 0, "{report}");
    assert_eq!(figure(&report, "quota_violations"), 0, "{report}");
}

#[tokio::test]
async fn webhooks_that_change_places_show_as_reordered() {
    let (code, report) = play(&["--sabotage", "swap"]).await;
    assert_eq!(code, 1, "{report}");
    assert!(figure(&report, "reordered") > 0, "{report}");
    assert_eq!(figure(&report, "lost"), 0, "{report}");
}

#[tokio::test]
async fn a_forged_webhook_shows_as_not_verified() {
    let (code, report) = play(&["--sabotage", "forge"]).await;
    assert_eq!(code, 1, "{report}");
    assert!(figure(&report, "webhooks_verified") < figure(&report, "webhooks_delivered"), "{report}");
}

#[tokio::test]
async fn calls_beyond_a_quota_show_as_violations() {
    let (code, report) = play(&["--sabotage", "overcall"]).await;
    assert_eq!(code, 1, "{report}");
    assert!(figure(&report, "quota_violations") > 0, "{report}");
    assert_eq!(figure(&report, "lost"), 0, "{report}");
}
