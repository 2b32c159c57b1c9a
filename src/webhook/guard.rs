//! The address guard: no webhook leaves for a place that is not plainly public, however its name resolves.
//!
//! It judges a URL when it is registered and again before each send, and it stands inside the HTTP client as the
//! resolver, so that a socket only ever goes to an address that was judged: there is no gap for a name to change in.
//! HTTP clients do not ask their resolver about hosts that are written as addresses: [`Guard::check_url`] judges those.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::{Host, Url};

use super::ranges;

/// Longer URLs are refused.
const LONGEST_URL: usize = 2048;

/// Name look-ups at once. Each blocks a thread until the system's resolver gives up, also after its caller has.
const LOOKUPS: usize = 64;

/// Look-ups for registrations at once. Those that never end must not use up the ones that deliveries need: whoever
/// registers chooses the name, and may do so often.
const CHECKS: usize = 8;

/// Longest wait for a name: shorter than that for a connection, so that the error says which it was.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(4);

/// Why a URL may not be used. The sentences are for shops: what a name resolves to is not in them, or the guard
/// would tell anyone which names exist inside.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Refusal {
    /// No URL at all.
    #[error("the URL cannot be read: {0}")]
    Unreadable(String),
    /// Over 2048 bytes.
    #[error("the URL is longer than {LONGEST_URL} bytes")]
    TooLong,
    /// Neither https nor http.
    #[error("the URL starts with {0}: and must start with https://")]
    Scheme(String),
    /// Plain http outside of the nets that the operator allowed.
    #[error("the URL must start with https:// (plain http is for nets that the operator allowed: webhook.allow_nets)")]
    PlainHttp,
    /// A name or password before the host.
    #[error("the URL holds a user name or password; the signature proves who sends")]
    UserInfo,
    /// No host.
    #[error("the URL names no host")]
    NoHost,
    /// A port that the operator's rule excludes.
    #[error("webhooks may not be sent to port {0}")]
    Port(u16),
    /// The address, or one of the addresses of the name, is special.
    #[error(
        "{host} is, or resolves to, an address that is not public: the operator may allow it (webhook.allow_nets), and `wismo listen` receives webhooks on your own machine"
    )]
    Address {
        /// The host as the URL names it.
        host: String,
        /// The address that was refused: for the operator's log alone.
        address: IpAddr,
        /// What makes it special: for the operator's log alone.
        what: &'static str,
    },
}

/// A name that could not be looked up.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum NameFault {
    /// One of its addresses is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It has no address, or the resolver failed.
    #[error("the name {host} cannot be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
}

/// Which ports may be used, outside of the allowed nets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// These, below 1024.
    pub low: Vec<u16>,
    /// Whether 1024 and above are open.
    pub high: bool,
}

impl Default for Ports {
    fn default() -> Self {
        Self { low: vec![80, 443], high: true }
    }
}

impl Ports {
    fn open(&self, port: u16) -> bool {
        if port >= 1024 { self.high } else { self.low.contains(&port) }
    }
}

/// Looks a name up. A function, so that tests can play a name server.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The guard. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    rules: Arc<Rules>,
}

struct Rules {
    allow_nets: Vec<IpNet>,
    ports: Ports,
    lookup: Lookup,
    checks: Semaphore,
}

fn unreadable(problem: url::ParseError) -> String {
    match problem {
        url::ParseError::RelativeUrlWithoutBase => "write https:// in front of it".to_owned(),
        other => other.to_string(),
    }
}

impl Guard {
    /// A guard that opens these nets besides the public ones. Nothing turns it off.
    #[must_use]
    pub fn new(allow_nets: Vec<IpNet>, ports: Ports) -> Self {
        Self::with_lookup(allow_nets, ports, system_lookup())
    }

    /// The same with another way to look names up.
    #[must_use]
    pub fn with_lookup(allow_nets: Vec<IpNet>, ports: Ports, lookup: Lookup) -> Self {
        Self { rules: Arc::new(Rules { allow_nets, ports, lookup, checks: Semaphore::new(CHECKS) }) }
    }

    /// Judges all of a URL that can be judged without asking a name server; gives it in canonical form.
    ///
    /// # Errors
    /// Why it may not be used.
    pub fn check_url(&self, url: &str) -> Result<Url, Refusal> {
        if url.len() > LONGEST_URL {
            return Err(Refusal::TooLong);
        }
        let url = Url::parse(url.trim()).map_err(|problem| Refusal::Unreadable(unreadable(problem)))?;
        let plain = match url.scheme() {
            "https" => false,
            // A name is judged by its addresses, when they are known.
            "http" if !self.rules.allow_nets.is_empty() => true,
            "http" => return Err(Refusal::PlainHttp),
            other => return Err(Refusal::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.rules.ports.open(port) {
            return Err(Refusal::Port(port));
        }
        let address = match url.host().ok_or(Refusal::NoHost)? {
            Host::Domain(name) if name.trim_matches('.').is_empty() => return Err(Refusal::NoHost),
            Host::Domain(_) => return Ok(url),
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
        };
        self.judge(&address.to_string(), address, plain)?;
        Ok(url)
    }

    /// Judges a URL with every address that its name has now: for registration.
    ///
    /// # Errors
    /// Why it may not be used, or that its name has no address.
    pub async fn check(&self, url: &str) -> Result<Url, NameFault> {
        let url = self.check_url(url)?;
        if let Some(Host::Domain(name)) = url.host() {
            let busy = || NameFault::Unresolved { host: name.to_owned(), why: "too many look-ups at once".to_owned() };
            let turn = timeout(LOOKUP_DEADLINE, self.rules.checks.acquire()).await;
            let _turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
            self.addresses(name, url.scheme() == "http").await?;
        }
        Ok(url)
    }

    /// What stands in the HTTP client that speaks plain http (`plain`) or https.
    pub(super) fn resolver(&self, plain: bool) -> GuardedResolver {
        GuardedResolver { guard: self.clone(), plain }
    }

    /// Every address of a name, if all of them are good. One bad among many is refused too: which one a socket
    /// gets is the name server's choice, and an honest name has no private address beside a public one.
    async fn addresses(&self, name: &str, plain: bool) -> Result<Vec<IpAddr>, NameFault> {
        let unresolved = |why: String| NameFault::Unresolved { host: name.to_owned(), why };
        let answer = timeout(LOOKUP_DEADLINE, (self.rules.lookup)(name.to_owned())).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let found = answer.map_err(|error| unresolved(error.to_string()))?;
        if found.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        for address in &found {
            self.judge(name, *address, plain)?;
        }
        Ok(found)
    }

    fn judge(&self, host: &str, address: IpAddr, plain: bool) -> Result<(), Refusal> {
        let own = ranges::unwrap_mapped(address);
        if self.rules.allow_nets.iter().any(|net| net.contains(&own)) {
            return Ok(());
        }
        match ranges::special(address) {
            Some(what) => Err(Refusal::Address { host: host.to_owned(), address, what }),
            None if plain => Err(Refusal::PlainHttp),
            None => Ok(()),
        }
    }
}

/// The guard as an HTTP client's resolver: hands out judged addresses only.
pub(super) struct GuardedResolver {
    guard: Guard,
    plain: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, plain) = (self.guard.clone(), self.plain);
        Box::pin(async move {
            let found = guard.addresses(name.as_str(), plain).await?;
            // Port 0: the client puts in the URL's.
            let sockets: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(sockets)
        })
    }
}

/// The system's resolver, with at most [`LOOKUPS`] threads in it.
fn system_lookup() -> Lookup {
    let slots = Arc::new(Semaphore::new(LOOKUPS));
    Arc::new(move |name| {
        let slots = slots.clone();
        Box::pin(async move {
            let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
            let found = tokio::task::spawn_blocking(move || {
                // Held until the system's resolver has returned, also when nobody waits for it any more.
                let _slot = slot;
                (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|socket| socket.ip()).collect())
            });
            found.await.map_err(io::Error::other)?
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(nets: &[&str], answers: &'static [&'static str]) -> Guard {
        let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(answers.iter().map(|a| a.parse().unwrap()).collect()) }));
        Guard::with_lookup(nets.iter().map(|net| net.parse().unwrap()).collect(), Ports::default(), lookup)
    }

    #[test]
    fn hosts_written_as_addresses_in_every_disguise() {
        let guard = guard(&[], &[]);
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "10.0.0.1",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "0",
            "[::1]",
            "[::]",
            "[::ffff:7f00:1]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "１２７.０.０.１",
            "127。0。0。1",
        ] {
            let url = format!("https://{host}/hook");
            assert!(
                matches!(guard.check_url(&url), Err(Refusal::Address { .. })),
                "{url}: {:?}",
                guard.check_url(&url)
            );
        }
        for url in ["https://8.8.8.8/", "https://[2606:4700:4700::1111]/", "https://shop.example/hook?x=1"] {
            assert!(guard.check_url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_rest_of_a_url() {
        let guard = guard(&[], &[]);
        let refused = |url: &str| guard.check_url(url).unwrap_err();
        assert!(matches!(refused("hook"), Refusal::Unreadable(_)));
        assert!(refused("127.0.0.1:9000").to_string().contains("write https:// in front"));
        let private = refused("https://10.0.0.1/").to_string();
        assert!(private.contains("webhook.allow_nets") && private.contains("wismo listen"), "{private}");
        assert!(matches!(refused("https://"), Refusal::Unreadable(_)));
        assert_eq!(refused("ftp://shop.example/"), Refusal::Scheme("ftp".into()));
        assert_eq!(refused("file:///etc/passwd"), Refusal::Scheme("file".into()));
        assert_eq!(refused("http://shop.example/"), Refusal::PlainHttp);
        assert_eq!(refused("https://user@shop.example/"), Refusal::UserInfo);
        assert_eq!(refused("https://:secret@shop.example/"), Refusal::UserInfo);
        assert_eq!(refused("https://shop.example:22/"), Refusal::Port(22));
        assert_eq!(refused("https://shop.example:0/"), Refusal::Port(0));
        assert_eq!(refused(&format!("https://shop.example/{}", "a".repeat(2048))), Refusal::TooLong);
        assert!(guard.check_url("https://shop.example:8443/").is_ok());
        assert_eq!(guard.check_url("https://bücher.example/").unwrap().host_str(), Some("xn--bcher-kva.example"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_gets_a_special_address_through(host in "[0-9a-fxX.:\\[\\]]{1,24}", text in ".{0,80}") {
            let guard = guard(&[], &[]);
            for url in [format!("https://{host}/"), format!("https://[{host}]/"), text] {
                let address = match guard.check_url(&url).ok().as_ref().and_then(Url::host) {
                    Some(Host::Ipv4(address)) => IpAddr::V4(address),
                    Some(Host::Ipv6(address)) => IpAddr::V6(address),
                    _ => continue,
                };
                proptest::prop_assert_eq!(ranges::special(address), None);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_server_that_never_answers_is_not_waited_for() {
        let silent: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
        let guard = Guard::with_lookup(Vec::new(), Ports::default(), silent);
        assert!(matches!(guard.check("https://shop.example/").await, Err(NameFault::Unresolved { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn registrations_of_names_that_never_resolve_leave_look_ups_for_deliveries() {
        let busy = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&busy);
        let lookup: Lookup = Arc::new(move |_| {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Box::pin(std::future::pending())
        });
        let guard = Guard::with_lookup(Vec::new(), Ports::default(), lookup);
        let checks = (0..200).map(|n| {
            let guard = guard.clone();
            async move { guard.check(&format!("https://never{n}.example/")).await }
        });
        // Before the first of them is given up.
        let _ = timeout(LOOKUP_DEADLINE / 2, futures_util::future::join_all(checks)).await;
        assert_eq!(busy.load(std::sync::atomic::Ordering::Relaxed), CHECKS);
    }

    #[tokio::test]
    async fn a_name_is_as_good_as_its_worst_address() {
        let refused = |answers| async move { guard(&[], answers).check("https://shop.example/").await };
        assert!(refused(&["8.8.8.8", "2606:4700::1"]).await.is_ok());
        for answers in [&["127.0.0.1"][..], &["8.8.8.8", "10.0.0.1"], &["8.8.8.8", "::ffff:10.0.0.1"], &["fd00::1"]] {
            let fault = refused(answers).await.unwrap_err();
            assert!(matches!(fault, NameFault::Refused(Refusal::Address { .. })), "{answers:?}");
            assert!(!fault.to_string().contains(answers[answers.len() - 1]), "the address is not told: {fault}");
        }
        assert!(matches!(refused(&[]).await, Err(NameFault::Unresolved { .. })));
    }

    #[tokio::test]
    async fn allowed_nets_open_themselves_and_plain_http_into_themselves_only() {
        let open = guard(&["127.0.0.1/32"], &["127.0.0.1"]);
        assert!(open.check("http://127.0.0.1:8080/").await.is_ok());
        assert!(open.check("http://[::ffff:127.0.0.1]:8080/").await.is_ok());
        assert!(open.check("http://localhost:8080/").await.is_ok());
        assert!(matches!(open.check_url("http://127.0.0.2:8080/"), Err(Refusal::Address { .. })));
        assert_eq!(open.check_url("http://8.8.8.8/"), Err(Refusal::PlainHttp));
        let public = guard(&["127.0.0.1/32"], &["8.8.8.8"]);
        assert_eq!(public.check("http://shop.example/").await, Err(NameFault::Refused(Refusal::PlainHttp)));
    }

    #[tokio::test]
    async fn the_systems_own_name_for_loopback_is_refused() {
        let fault = Guard::new(Vec::new(), Ports::default()).check("https://localhost/").await.unwrap_err();
        assert!(matches!(fault, NameFault::Refused(Refusal::Address { .. })), "{fault}");
        assert!(Guard::new(Vec::new(), Ports::default()).check("https://localhost./").await.is_err());
    }
}
