//! Where the command line finds the daemon and its store, without the right to read every secret.
//!
//! A support person may read the configuration and none of its credentials, so nothing is judged here that does not
//! matter for this: `wismo check` does that.

use std::path::PathBuf;
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};
use secrecy::SecretString;

use super::load::files;
use super::sources::Sources;
use super::{DEFAULT, sections, units};

/// The socket of an installed daemon's private Redis.
const INSTALLED: &str = "/run/wismo/redis.sock";

/// The daemon and its store, as the command line reaches them.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Where the API listens.
    pub listen: String,
    /// Where the store is read.
    pub redis: ReadPlace,
    /// Longest wait for an answer of it.
    pub patience: Duration,
    /// The operator's folder of carriers, where one is named.
    pub carriers_dir: Option<PathBuf>,
}

/// Where the store is read.
#[derive(Debug, Clone)]
pub enum ReadPlace {
    /// A server, or nodes of a cluster, with the read-only user's name and password.
    Urls {
        /// Addresses.
        urls: Vec<SecretString>,
        /// They are nodes of a cluster.
        cluster: bool,
    },
    /// The private server's socket: the first of these that is there.
    Sockets(Vec<PathBuf>),
    /// The daemon's own address is configured, and none for those who read.
    NoReader,
}

/// What the configuration says of it, as far as it can be read; the defaults elsewhere.
///
/// # Errors
/// A sentence, when a file that can be read is not TOML or a value cannot be used.
pub fn reach(sources: &Sources) -> Result<Reach, String> {
    let mut builder = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
    // A file that is named and not there is a slip of the pen; one that may not be read is not.
    if let Some(file) = sources.file.as_deref().filter(|file| matches!(file.try_exists(), Ok(false))) {
        return Err(format!("the configuration {} is not there", file.display()));
    }
    for path in files(sources.file.as_deref(), &mut Vec::new()) {
        // What this user may not read is not meant for them; the defaults and the installed socket remain.
        if std::fs::read(&path).is_ok() {
            builder = builder.add_source(File::from(path).format(FileFormat::Toml));
        }
    }
    let wanted = sources.environment.iter().filter(|(key, _)| key.starts_with("WISMO__")).cloned().collect();
    let environment = Environment::with_prefix("WISMO").prefix_separator("__").separator("__").source(Some(wanted));
    let config = builder.add_source(environment).build().map_err(|error| error.to_string())?;
    let text = |key: &str| config.get_string(key).unwrap_or_default();
    let list = |key: &str| {
        let values = config.get_array(key).map(|list| list.into_iter().map(|v| v.into_string().unwrap_or_default()));
        values.map_or_else(|_| text(key).split(',').map(str::to_owned).collect(), Iterator::collect::<Vec<String>>)
    };
    let given = |list: Vec<String>| list.into_iter().filter(|text| !text.is_empty()).map(SecretString::from).collect();
    let readers: Vec<SecretString> = given(list("redis.reader"));
    let cluster = !given(list("redis.cluster")).is_empty();
    let redis = if !readers.is_empty() {
        ReadPlace::Urls { urls: readers, cluster }
    } else if cluster || !text("redis.url").is_empty() {
        ReadPlace::NoReader
    } else {
        ReadPlace::Sockets(sockets(&text("state_dir"), &text("runtime_dir"), sources))
    };
    let patience =
        units::duration(&text("redis.response_timeout")).map_err(|error| format!("redis.response_timeout: {error}"))?;
    let carriers_dir = Some(text("carriers.dir")).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Ok(Reach { listen: text("server.listen"), redis, patience, carriers_dir })
}

fn sockets(state_dir: &str, runtime_dir: &str, sources: &Sources) -> Vec<PathBuf> {
    let (_, runtime) = sections::folders(state_dir, runtime_dir, sources);
    let mut sockets = vec![runtime.join("redis.sock")];
    if state_dir.is_empty() && runtime_dir.is_empty() {
        sockets.push(PathBuf::from(INSTALLED));
    }
    sockets
}
