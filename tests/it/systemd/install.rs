//! `make install` into an empty root, twice, and `make uninstall`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn make(target: &str, root: &Path, prefix: &str) -> String {
    let output = Command::new("make")
        .arg(target)
        .arg(format!("DESTDIR={}", root.display()))
        .arg(format!("PREFIX={prefix}"))
        .arg(format!("BIN={}", env!("CARGO_BIN_EXE_wismo")))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{target}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn files(root: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(root, root, &mut found);
    found
}

/// Links of the installed pages that lead to nothing that is installed, each with its page.
fn dead_links(doc: &Path) -> Vec<String> {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut dead = Vec::new();
    for page in files(doc).iter().filter(|file| Path::new(file).extension().is_some_and(|kind| kind == "md")) {
        let text = fs::read_to_string(doc.join(page)).unwrap();
        for (_, [target]) in link.captures_iter(&text).map(|found| found.extract()) {
            let file = target.split('#').next().unwrap();
            if !file.contains("://") && !file.is_empty() && !doc.join(page).with_file_name(file).exists() {
                dead.push(format!("{page}: {target}"));
            }
        }
    }
    dead
}

#[test]
fn an_installation_is_whole_keeps_the_configuration_and_leaves_no_trace() {
    for (prefix, place) in [("/usr", "usr"), ("/usr/local", "usr/local")] {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        make("install", root.path(), prefix);
        let installed = files(root.path());
        let wanted = [
            "bin/wismo",
            "lib/systemd/system/wismo.service",
            "lib/sysusers.d/wismo.conf",
            "share/doc/wismo/docs/operators.md",
            "share/doc/wismo/LICENSE-MIT",
            "share/doc/wismo/examples/credentials.conf",
            "share/doc/wismo/config/wismo.toml",
            "share/doc/wismo/carriers/laposte/carrier.toml",
            "share/doc/wismo/tests/receivers/receiver.py",
        ];
        for file in
            wanted.map(|file| format!("{place}/{file}")).iter().map(String::as_str).chain(["etc/wismo/wismo.toml"])
        {
            assert!(installed.contains(file), "{file} is missing in {installed:?}");
        }
        assert_eq!(dead_links(&at(&format!("{place}/share/doc/wismo"))), Vec::<String>::new());
        let mode = |path: &str| fs::metadata(at(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&format!("{place}/bin/wismo")), mode("etc/wismo/wismo.toml")), (0o755, 0o640));
        let unit = fs::read_to_string(at(&format!("{place}/lib/systemd/system/wismo.service"))).unwrap();
        assert!(unit.contains(&format!("ExecStart={prefix}/bin/wismo run")), "{unit}");
        assert!(unit.contains(&format!("ExecPaths={prefix}/bin/wismo\n")), "{unit}");
        let drop_in = at(&format!("{place}/share/doc/wismo/examples/external-redis.conf"));
        let drop_in = fs::read_to_string(drop_in).unwrap();
        assert!(drop_in.contains(&format!("ExecPaths={prefix}/bin/wismo\n")), "{drop_in}");
        // What it brings can be used as it is.
        let checked = Command::new(at(&format!("{place}/bin/wismo")))
            .args(["check", "--config"])
            .arg(at("etc/wismo/wismo.toml"))
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
        let sysusers = Command::new("systemd-sysusers")
            .arg("--root")
            .arg(root.path())
            .arg(at(&format!("{place}/lib/sysusers.d/wismo.conf")))
            .output()
            .expect("systemd-sysusers is missing: `make test` installs it (package systemd)");
        assert!(sysusers.status.success(), "{sysusers:?}");
        assert!(fs::read_to_string(at("etc/passwd")).unwrap().contains("wismo:x:"));
        // A second installation leaves what the operator wrote.
        fs::write(at("etc/wismo/wismo.toml"), "# mine\n").unwrap();
        make("install", root.path(), prefix);
        assert_eq!(fs::read_to_string(at("etc/wismo/wismo.toml")).unwrap(), "# mine\n");
        make("uninstall", root.path(), prefix);
        let left: Vec<String> = files(root.path()).into_iter().filter(|file| file.contains("wismo")).collect();
        assert_eq!(left, ["etc/wismo/wismo.toml"], "only what the operator wrote stays");
    }
}
