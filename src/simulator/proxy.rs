//! A proxy that makes a network bad on purpose: slow, cut, deaf or absent. Put before Redis or before a receiver.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Where the proxy leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// What the network does. It takes effect at once, on open connections too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// All passes.
    #[default]
    Fair,
    /// Every chunk takes this much longer, each way.
    Slow(Duration),
    /// Each connection breaks after so many bytes of answers.
    CutAfter(u64),
    /// Requests pass, and the connection breaks before any byte of the reply: the sender cannot know what became of
    /// it. Happens once for each connection that is asked something.
    CutBeforeReply,
    /// Nothing passes, nothing breaks.
    BlackHole,
    /// New connections are closed at once and open ones broken.
    Refuse,
}

#[derive(Debug, Default)]
struct Shared {
    weather: Mutex<Weather>,
    connections: AtomicU64,
    cuts: AtomicU64,
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy at work. It stops with the token that it was started with. Cheap to share.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: Option<SocketAddr>,
    shared: Arc<Shared>,
    changed: tokio::sync::watch::Sender<()>,
}

impl Proxy {
    /// Starts a proxy on a free loopback port.
    pub async fn start(upstream: Upstream, stop: CancellationToken) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let proxy = Self {
            address: Some(listener.local_addr()?),
            shared: Arc::default(),
            changed: tokio::sync::watch::Sender::new(()),
        };
        let mine = proxy.clone();
        tokio::spawn(async move {
            while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                let _ = stream.set_nodelay(true);
                mine.spawn_connection(stream, upstream.clone(), stop.clone());
            }
        });
        Ok(proxy)
    }

    /// Starts a proxy on a unix socket.
    pub fn start_unix(path: &std::path::Path, upstream: Upstream, stop: CancellationToken) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let proxy = Self { address: None, shared: Arc::default(), changed: tokio::sync::watch::Sender::new(()) };
        let mine = proxy.clone();
        tokio::spawn(async move {
            while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                mine.spawn_connection(stream, upstream.clone(), stop.clone());
            }
        });
        Ok(proxy)
    }

    /// Where it listens; `None` on a unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
        self.changed.send_replace(());
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many connections were cut so far.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }

    fn spawn_connection<S>(&self, client: S, upstream: Upstream, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let proxy = self.clone();
        proxy.shared.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            if proxy.shared.weather() == Weather::Refuse {
                proxy.shared.cuts.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let outcome = match upstream {
                Upstream::Tcp(address) => match TcpStream::connect(address).await {
                    Ok(server) => stop.run_until_cancelled(proxy.join(client, server)).await,
                    Err(_) => None,
                },
                Upstream::Unix(path) => match UnixStream::connect(path).await {
                    Ok(server) => stop.run_until_cancelled(proxy.join(client, server)).await,
                    Err(_) => None,
                },
            };
            if let Some(Passage::Cut) = outcome {
                proxy.shared.cuts.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Carries bytes both ways until one side ends or the weather cuts.
    async fn join<C, S>(&self, client: C, server: S) -> Passage
    where
        C: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        tokio::select! {
            passage = self.carry(from_client, to_server, false) => passage,
            passage = self.carry(from_server, to_client, true) => passage,
        }
    }

    async fn carry(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, replies: bool) -> Passage {
        let mut buffer = vec![0; 64 * 1024];
        let mut passed: u64 = 0;
        let mut changed = self.changed.subscribe();
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read,
                _ = changed.changed() => match self.shared.weather() {
                    Weather::Refuse => return Passage::Cut,
                    _ => continue,
                },
            };
            let count = match read {
                Ok(0) | Err(_) => return Passage::Ended,
                Ok(count) => count,
            };
            let Some(allowed) = self.allowed(count, passed, replies, &mut changed).await else { return Passage::Cut };
            if to.write_all(&buffer[..allowed]).await.is_err() {
                return Passage::Ended;
            }
            passed += allowed as u64;
            if allowed < count {
                let _ = to.flush().await;
                return Passage::Cut;
            }
        }
    }

    /// How many of `count` bytes may pass, after whatever wait the weather imposes; `None` cuts before any.
    async fn allowed(
        &self,
        count: usize,
        passed: u64,
        replies: bool,
        changed: &mut tokio::sync::watch::Receiver<()>,
    ) -> Option<usize> {
        loop {
            match self.shared.weather() {
                Weather::Slow(wait) => {
                    tokio::time::sleep(wait).await;
                    return Some(count);
                }
                Weather::CutAfter(bytes) if replies => {
                    let left = usize::try_from(bytes.saturating_sub(passed)).unwrap_or(usize::MAX);
                    return Some(left.min(count)).filter(|left| *left > 0);
                }
                Weather::CutBeforeReply if replies => return None,
                Weather::Fair | Weather::CutAfter(_) | Weather::CutBeforeReply => return Some(count),
                Weather::Refuse => return None,
                // Held until the weather changes; the bytes already read pass then.
                Weather::BlackHole => changed.changed().await.ok()?,
            }
        }
    }
}

enum Passage {
    Ended,
    Cut,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Echoes each line back.
    async fn echo(stop: CancellationToken) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Some(Ok((mut stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn ask(stream: &mut TcpStream, text: &str) -> Option<String> {
        stream.write_all(text.as_bytes()).await.ok()?;
        let mut buffer = vec![0; text.len()];
        let read = tokio::time::timeout(Duration::from_millis(300), stream.read_exact(&mut buffer)).await.ok()?;
        read.ok().map(|_| String::from_utf8_lossy(&buffer).into_owned())
    }

    #[tokio::test]
    async fn weather_changes_on_open_connections() {
        let stop = CancellationToken::new();
        let upstream = echo(stop.clone()).await;
        let proxy = Proxy::start(Upstream::Tcp(upstream), stop.clone()).await.unwrap();
        let connect = || TcpStream::connect(proxy.address().unwrap());
        let mut stream = connect().await.unwrap();
        assert_eq!(ask(&mut stream, "fair").await.as_deref(), Some("fair"));
        proxy.set(Weather::BlackHole);
        assert_eq!(ask(&mut stream, "hole").await, None);
        proxy.set(Weather::Fair);
        let mut held = [0; 4];
        stream.read_exact(&mut held).await.unwrap();
        assert_eq!(&held, b"hole", "what was held passes later");
        proxy.set(Weather::CutBeforeReply);
        assert_eq!(ask(&mut stream, "cut").await, None);
        proxy.set(Weather::CutAfter(3));
        let mut other = connect().await.unwrap();
        other.write_all(b"abcdef").await.unwrap();
        let mut rest = Vec::new();
        let _ = other.read_to_end(&mut rest).await;
        assert_eq!(rest, b"abc");
        proxy.set(Weather::Fair);
        let mut open = connect().await.unwrap();
        assert_eq!(ask(&mut open, "fair").await.as_deref(), Some("fair"));
        proxy.set(Weather::Refuse);
        assert_eq!(ask(&mut open, "gone").await, None);
        assert_eq!(ask(&mut connect().await.unwrap(), "gone").await, None);
        assert!(proxy.cuts() >= 4, "{}", proxy.cuts());
        stop.cancel();
    }

    #[tokio::test]
    async fn a_unix_socket_can_lie_on_either_side() {
        let stop = CancellationToken::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.sock");
        let upstream = echo(stop.clone()).await;
        Proxy::start_unix(&path, Upstream::Tcp(upstream), stop.clone()).unwrap();
        let front = Proxy::start(Upstream::Unix(path), stop.clone()).await.unwrap();
        let mut stream = TcpStream::connect(front.address().unwrap()).await.unwrap();
        assert_eq!(ask(&mut stream, "through both").await.as_deref(), Some("through both"));
        stop.cancel();
    }
}
