//! The HTTP clients that webhooks leave through.
//!
//! No redirects, no proxies, no cookies, no decompression, no retries of their own, and the address guard as the
//! only resolver. Each shop has its own connections, so what one shop's receiver does to a connection never meets
//! another shop's webhook, although both may live on one host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use url::Url;

use super::guard::Guard;
use crate::model::ShopId;

/// Shops whose connections are kept. Beyond it all are closed and opened anew as needed.
const KEPT_SHOPS: usize = 512;

/// How long an idle connection is kept. Common receivers close theirs after five seconds: a shorter time of our own
/// means that no webhook is written into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);

/// Header lines of an answer beyond which it is refused.
const MOST_HEADERS: usize = 100;

/// Why no client could be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The TLS library refused its settings.
    #[error("TLS cannot be set up for webhooks: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP library did.
    #[error("the HTTP client for webhooks cannot be built: {0}")]
    Http(#[from] reqwest::Error),
}

/// Makes and keeps the clients.
pub struct Clients {
    guard: Guard,
    tls: ClientConfig,
    connect_timeout: Duration,
    kept: usize,
    by_shop: Mutex<HashMap<(ShopId, bool), Client>>,
}

impl Clients {
    /// Clients behind this guard that trust the system's certificate authorities, and these besides. Each keeps up to
    /// `kept` idle connections to one host: fewer than there are attempts at once would close what is needed next.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        guard: Guard,
        connect_timeout: Duration,
        more_roots: Vec<CertificateDer<'static>>,
        kept: usize,
    ) -> Result<Self, ClientError> {
        let tls = tls(more_roots)?;
        Ok(Self { guard, tls, connect_timeout, kept, by_shop: Mutex::new(HashMap::new()) })
    }

    /// The guard in front of them.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The client for this shop and this URL's scheme.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn of(&self, shop: &ShopId, url: &Url) -> Result<Client, ClientError> {
        let plain = url.scheme() == "http";
        let key = (shop.clone(), plain);
        let mut clients = self.by_shop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        if clients.len() >= KEPT_SHOPS {
            clients.clear();
        }
        let client = self.build(plain)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn build(&self, plain: bool) -> Result<Client, ClientError> {
        let client = ClientBuilder::new()
            .tls_backend_preconfigured(self.tls.clone())
            .https_only(!plain)
            .dns_resolver(Arc::new(self.guard.resolver(plain)))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .referer(false)
            // One exchange a connection: an endpoint that stalls one cannot stall others, and what is not read of
            // an answer is dropped with its connection.
            .http1_only()
            .http1_max_headers(MOST_HEADERS)
            .tcp_nodelay(true)
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(self.kept)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("wismo/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(client)
    }
}

fn tls(more_roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (trusted, unusable) = roots.add_parsable_certificates(system.certs);
    let (more, _) = roots.add_parsable_certificates(more_roots);
    if trusted + more == 0 {
        tracing::warn!(
            event = "roots_unreadable",
            problems = ?system.errors,
            unusable,
            "No certificate authority is installed: every webhook over https will fail. Install ca-certificates."
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
