//! A slow wire to Redis that knows what is under way on it: which commits were asked for and not yet answered.
//!
//! Bytes are held back for a while each way. Requests and replies are told apart by the protocol's own framing, so a
//! count is exact however many requests share a connection.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What stands in the data of every change, and in no other request.
const MARK: &[u8] = b"\"sequence\":";

/// One request on its way.
#[derive(Debug, Clone, Copy)]
struct Asked {
    commit: bool,
    forwarded: bool,
}

type Wire = Arc<Mutex<VecDeque<Asked>>>;

/// The wire at work; cut when dropped.
pub struct Tap {
    address: SocketAddr,
    wires: Arc<Mutex<Vec<Wire>>>,
    _stop: DropGuard,
}

/// Commits under way at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnderWay {
    /// The server has not got them.
    pub held: usize,
    /// The server has got them; nobody has heard the outcome.
    pub unanswered: usize,
}

impl UnderWay {
    /// Both.
    pub fn any(self) -> bool {
        self.held + self.unanswered > 0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    /// Starts a wire to `server` on a free port, which takes `delay` each way.
    pub async fn start(server: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stop = CancellationToken::new();
        let tap =
            Self { address: listener.local_addr().unwrap(), wires: Arc::default(), _stop: stop.clone().drop_guard() };
        let wires = Arc::clone(&tap.wires);
        tokio::spawn(async move {
            while let Some(Ok((client, _))) = stop.run_until_cancelled(listener.accept()).await {
                let wire = Wire::default();
                lock(&wires).push(Arc::clone(&wire));
                let (wires, stop) = (Arc::clone(&wires), stop.clone());
                tokio::spawn(async move {
                    stop.run_until_cancelled(join(client, server, &wire, delay)).await;
                    lock(&wires).retain(|other| !Arc::ptr_eq(other, &wire));
                });
            }
        });
        tap
    }

    /// The URL to give to the daemon.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// The commits under way now.
    pub fn commits(&self) -> UnderWay {
        let mut found = UnderWay::default();
        for wire in lock(&self.wires).iter() {
            for asked in lock(wire).iter().filter(|asked| asked.commit) {
                if asked.forwarded {
                    found.unanswered += 1;
                } else {
                    found.held += 1;
                }
            }
        }
        found
    }
}

async fn join(client: TcpStream, server: SocketAddr, wire: &Wire, delay: Duration) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // What a client sent before it died still reaches the server: a process that is killed takes nothing back.
    tokio::join!(requests(from_client, to_server, wire, delay), replies(from_server, to_client, wire, delay));
}

async fn requests(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, wire: &Wire, delay: Duration) {
    let (mut buffer, mut open) = (vec![0; 64 * 1024], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        open.extend_from_slice(&buffer[..count]);
        while let Some(end) = frame(&open, 0) {
            let commit = open[..end].windows(MARK.len()).any(|window| window == MARK);
            lock(wire).push_back(Asked { commit, forwarded: false });
            open.drain(..end);
        }
        tokio::time::sleep(delay).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
        lock(wire).iter_mut().for_each(|asked| asked.forwarded = true);
    }
    let _ = to.shutdown().await;
}

async fn replies(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, wire: &Wire, delay: Duration) {
    let (mut buffer, mut open) = (vec![0; 64 * 1024], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(delay).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
        open.extend_from_slice(&buffer[..count]);
        while let Some(end) = frame(&open, 0) {
            let push = open[0] == b'>';
            open.drain(..end);
            if !push {
                lock(wire).pop_front();
            }
        }
    }
}

/// Where the value that begins at `at` ends; nothing while it is not whole.
fn frame(bytes: &[u8], at: usize) -> Option<usize> {
    let kind = *bytes.get(at)?;
    let line = at + 1 + bytes.get(at + 1..)?.windows(2).position(|pair| pair == b"\r\n")?;
    let next = line + 2;
    let number = || std::str::from_utf8(&bytes[at + 1..line]).ok()?.parse::<i64>().ok();
    let values = match kind {
        b'$' | b'=' | b'!' => {
            let length = usize::try_from(number()?);
            let end = length.map_or(next, |length| next + length + 2);
            return (end <= bytes.len()).then_some(end);
        }
        b'*' | b'~' | b'>' => number()?,
        b'%' => number()? * 2,
        _ => 0,
    };
    (0..values).try_fold(next, |at, _| frame(bytes, at))
}

#[test]
fn frames_end_where_the_protocol_says() {
    for whole in ["+OK\r\n", "$3\r\nabc\r\n", "$-1\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "*0\r\n", "%1\r\n+a\r\n*1\r\n_\r\n"]
    {
        assert_eq!(frame(whole.as_bytes(), 0), Some(whole.len()), "{whole:?}");
        for cut in 0..whole.len() {
            assert_eq!(frame(&whole.as_bytes()[..cut], 0), None, "{whole:?} cut at {cut}");
        }
    }
}
