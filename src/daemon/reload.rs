//! What a reload can change, and what has to wait for a restart.

use secrecy::ExposeSecret;

use crate::settings::Settings;

/// Keys that changed and are read only at the start.
pub fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let url = |settings: &Settings| {
        let nodes = settings.redis.url.iter().chain(&settings.redis.cluster);
        nodes.map(|url| url.expose_secret().to_owned()).collect::<Vec<_>>()
    };
    let rate = |settings: &Settings| (settings.server.rate, settings.server.burst);
    let log = |settings: &Settings| (settings.log.format, settings.log.filter.clone());
    let sandbox = |settings: &Settings| (settings.sandbox.enabled, settings.sandbox.day);
    let private = |settings: &Settings| (settings.private_redis.program.clone(), settings.private_redis.max_memory);
    let answers = |settings: &Settings| (settings.server.request_timeout, settings.server.max_body);
    let store = |settings: &Settings| {
        let (redis, kept) = (&settings.redis, &settings.retention);
        (redis.connect_timeout, redis.response_timeout, kept.changes, kept.dead, settings.webhook.max_age)
    };
    let key = |settings: &Settings| settings.master_key_file.clone();
    let dirs = |settings: &Settings| (settings.state_dir.clone(), settings.runtime_dir.clone());
    [
        (old.server.listen != new.server.listen, "server.listen"),
        (old.metrics.listen != new.metrics.listen, "metrics.listen"),
        (rate(old) != rate(new), "server.rate, server.burst"),
        (url(old) != url(new), "redis"),
        (answers(old) != answers(new), "server.request_timeout, server.max_body"),
        (
            store(old) != store(new),
            "redis.connect_timeout, redis.response_timeout, retention.changes, retention.dead, webhook.max_age",
        ),
        (key(old) != key(new), "master_key_file"),
        (dirs(old) != dirs(new), "state_dir, runtime_dir"),
        (private(old) != private(new), "private_redis"),
        (log(old) != log(new), "log"),
        (sandbox(old) != sandbox(new), "sandbox"),
    ]
    .into_iter()
    .filter_map(|(changed, key)| changed.then_some(key))
    .collect()
}
