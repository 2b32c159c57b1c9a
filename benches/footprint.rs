//! What a tracker costs: bytes in Redis, resident memory of the daemon, and the processor time of doing nothing.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::disallowed_methods, missing_docs)]

mod support;

use std::time::Duration;

use support::{Daemon, Process, Redis, Used, account, setting, stand_in};
use tokio_util::sync::CancellationToken;
use wismo::simulator::world::Network;

/// For each kind of key (the part after the shard): how many there are and what they take together.
const BY_KIND: &str = r"
local cursor, sums = '0', {}
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = string.match(key, '^wismo:{%w+}:([^:]+)') or (string.match(key, '^wismo:{([ioc]):') or '') .. ' look-up'
    local sum = sums[kind] or {0, 0}
    sums[kind] = {sum[1] + 1, sum[2] + redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0)}
  end
until cursor == '0'
local lines = {}
for kind, sum in pairs(sums) do lines[#lines + 1] = kind .. '=' .. sum[1] .. '=' .. sum[2] end
return lines";

fn main() {
    support::runtime().block_on(async {
        let (trackers, scans) = (setting("TRACKERS", 10_000), 12);
        let stop = CancellationToken::new();
        let (stand_in, numbers) = stand_in(Network::Ups, trackers, scans, &stop).await;
        let redis = Redis::start();
        let mut daemon = Daemon::prepare(&redis, "[polling]\nconcurrency = 256", &account(&stand_in, 32));
        daemon.start().await;
        let shop = daemon.shop().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let used = Used::since_now(&[("daemon", daemon.process()), ("redis", redis.process())]);
        let commands = redis.info("total_commands_processed");
        tokio::time::sleep(Duration::from_secs(10)).await;
        let commands = (redis.info("total_commands_processed") - commands) / used.seconds();
        println!(
            "idle, two accounts, appendfsync {}: {} of a processor; {commands:.0} Redis commands/s",
            redis.fsync,
            used.share()
        );
        println!("daemon, idle: {:.1} MiB resident", daemon.process().resident_mib());
        let before = redis.info("used_memory");
        shop.register(stand_in.code, &numbers).await;
        while stand_in.ledger.told_count() < trackers * scans as usize {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!(
            "daemon, after {trackers} trackers were registered and polled: {:.1} MiB resident",
            daemon.process().resident_mib()
        );
        let each = |bytes: f64| bytes / trackers as f64;
        println!("Redis, bytes for each tracker with {scans} events, an order, a customer, a promise:");
        println!("  used_memory: {:.0}", each(redis.info("used_memory") - before));
        let mut whole = 0.0;
        let text = redis.ask(&["EVAL", BY_KIND, "0"]);
        let mut lines: Vec<(String, f64, f64)> = text.lines().filter_map(split).collect();
        lines.sort_by(|a, b| b.2.total_cmp(&a.2));
        for (kind, keys, bytes) in lines.iter().filter(|line| each(line.2) >= 1.0) {
            println!("  {kind:<12} {:>7.0}  ({keys:.0} keys)", each(*bytes));
            whole += if kind == "changes" { 0.0 } else { each(*bytes) };
        }
        println!("  all but the change log, which ages out: {whole:.0}");
        println!("one of them:");
        let one = redis.ask(&["ZRANGE", &format!("wismo:{{i:{}}}", numbers[0]), "0", "0"]);
        println!("{}", redis.ask(&["HGETALL", one.trim()]));
        println!("{}", redis.ask(&["GET", &one.trim().replace(":tracker:", ":events:")]));
        println!("{}", redis.ask(&["GET", &one.trim().replace(":tracker:", ":about:")]));
        let used = Used::since_now(&[("daemon", daemon.process()), ("redis", redis.process())]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        println!(
            "nothing due, {trackers} trackers: {} of a processor; (this program {:.0} MiB)",
            used.share(),
            Process::own().resident_mib()
        );
        stop.cancel();
    });
}

fn split(line: &str) -> Option<(String, f64, f64)> {
    let mut parts = line.split('=');
    Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
