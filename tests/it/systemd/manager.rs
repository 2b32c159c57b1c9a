//! A stand-in for the service manager, and a daemon started as it would be.

use std::fs::{self, File};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};

pub use crate::support::shop::{PATIENCE, until};

/// Hears what a service tells.
pub struct Manager {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    /// Listens on a socket without a path, as the manager of a machine may.
    pub fn listen() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wismo-it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                store.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        });
        Self { address: format!("@{name}"), heard }
    }

    /// Every message so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// How many messages so far.
    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Waits for a message that begins so, after the first `from` ones; gives its place.
    pub async fn hears(&self, from: usize, start: &str) -> usize {
        until(&format!("{start} after {:?}", self.heard()), async || {
            self.heard().iter().skip(from).position(|message| message.starts_with(start)).map(|at| at + from)
        })
        .await
    }
}

/// A daemon that was started as a service is.
pub struct Service {
    pub child: Child,
    pub folder: tempfile::TempDir,
}

/// How a service is started.
pub struct Start<'a> {
    pub manager: &'a Manager,
    pub config: &'a str,
    pub environment: &'a [(&'a str, String)],
    /// Put before the program: another user, a tracer.
    pub wrapper: &'a [&'a str],
    pub program: &'a Path,
}

impl<'a> Start<'a> {
    /// The program of this build, by the user of the test.
    pub fn new(manager: &'a Manager, config: &'a str) -> Self {
        Self { manager, config, environment: &[], wrapper: &[], program: Path::new(env!("CARGO_BIN_EXE_wismo")) }
    }

    /// Starts it in a folder with a short path: sockets lie in it.
    pub fn go(self) -> Service {
        let folder = tempfile::Builder::new().prefix("w").tempdir_in("/tmp").unwrap();
        self.go_in(folder)
    }

    pub fn go_in(self, folder: tempfile::TempDir) -> Service {
        let at = |name: &str| folder.path().join(name);
        fs::write(at("wismo.toml"), self.config).unwrap();
        let log = File::create(at("log")).unwrap();
        let own = log.metadata().unwrap();
        let mut words: Vec<&std::ffi::OsStr> = self.wrapper.iter().map(std::ffi::OsStr::new).collect();
        words.push(self.program.as_os_str());
        let child = Command::new(words[0])
            .args(&words[1..])
            .args(["run", "--config"])
            .arg(at("wismo.toml"))
            .env("STATE_DIRECTORY", at("state"))
            .env("RUNTIME_DIRECTORY", at("run"))
            .env("NOTIFY_SOCKET", &self.manager.address)
            .env("JOURNAL_STREAM", format!("{}:{}", own.dev(), own.ino()))
            .env("WISMO__SERVER__LISTEN", "127.0.0.1:0")
            .envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Service { child, folder }
    }
}

impl Drop for Service {
    /// A tracer leaves the daemon, and a killed daemon its private Redis: neither must outlive the test.
    fn drop(&mut self) {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let own = std::process::id().to_string();
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let name = process.file_name().to_string_lossy().into_owned();
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let Some(pid) = name.parse().ok().and_then(Pid::from_raw).filter(|_| name != own) else { continue };
            if String::from_utf8_lossy(&words).contains(&folder) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Service {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Lines of the log as journald files them: priority and fields.
    pub fn lines(&self) -> Vec<(u8, Value)> {
        let parse = |line: &str| {
            let (priority, json) = line.strip_prefix('<')?.split_once('>')?;
            Some((priority.parse().ok()?, serde_json::from_str(json).ok()?))
        };
        self.log().lines().map(|line| parse(line).unwrap_or_else(|| panic!("no line for journald: {line}"))).collect()
    }

    /// Waits for an event in the log.
    pub async fn logged(&self, event: &str) -> Value {
        until(&format!("{event} in the log:\n{}", self.log()), async || {
            // The last line may be half written.
            let whole = self.log();
            let whole = &whole[..whole.rfind('\n').unwrap_or(0)];
            let found = whole.lines().find(|line| line.contains(&format!("\"event\":\"{event}\"")))?;
            serde_json::from_str(found.split_once('>')?.1).ok()
        })
        .await
    }

    /// Where the API listens.
    pub async fn base(&self) -> String {
        format!("http://{}", self.logged("listening").await["address"].as_str().unwrap())
    }

    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap().success());
    }

    /// Waits for its end.
    pub async fn ends(&mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log())).unwrap().code()
    }

    /// Adds a shop by the command line; gives its key.
    pub async fn shop(&self, wrapper: &[&str], program: &Path) -> String {
        let config = self.path("wismo.toml").display().to_string();
        let program = program.display().to_string();
        let words = [wrapper, &[&program, "shops", "add", "boutique", "--config", &config]].concat();
        let output = Command::new(words[0])
            .args(&words[1..])
            .env("STATE_DIRECTORY", self.path("state"))
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// One request; status and text of the answer.
pub async fn ask(method: &str, url: &str, key: &str, body: &str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let request = client.request(method.parse().unwrap(), url).bearer_auth(key);
    let answer = request.header("content-type", "application/json").body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
