//! A listener whose connections can be cut: at once, or after a number of answer bytes; and that all end on a signal.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

const UNCUT: i64 = i64::MAX;

/// The knife for one connection, handed to request handlers.
#[derive(Debug, Clone)]
pub struct Knife(Arc<AtomicI64>);

impl Knife {
    /// Lets `bytes` more bytes of answers out, then breaks the connection. 0 breaks it before any answer.
    pub fn cut_after(&self, bytes: usize) {
        self.0.store(i64::try_from(bytes).unwrap_or(UNCUT - 1), Ordering::SeqCst);
    }
}

/// A TCP stream that obeys its knife and the common stop.
pub struct CutStream {
    inner: TcpStream,
    left: Arc<AtomicI64>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl CutStream {
    fn new(inner: TcpStream, stop: CancellationToken) -> Self {
        Self { inner, left: Arc::new(AtomicI64::new(UNCUT)), stopped: Box::pin(stop.cancelled_owned()) }
    }

    /// How many of `wanted` bytes may go out now.
    fn allowance(&self, wanted: usize) -> io::Result<usize> {
        match self.left.load(Ordering::SeqCst) {
            UNCUT => Ok(wanted),
            left if left <= 0 => Err(io::ErrorKind::ConnectionReset.into()),
            left => Ok(wanted.min(usize::try_from(left).unwrap_or(usize::MAX))),
        }
    }

    fn spend(&self, sent: usize) {
        let sent = i64::try_from(sent).unwrap_or(0);
        // A fetch_update, since the knife may be set while bytes are on their way.
        let _ = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            (left != UNCUT).then(|| left.saturating_sub(sent))
        });
    }

    fn stopped(&mut self, context: &mut Context<'_>) -> bool {
        self.stopped.as_mut().poll(context).is_ready()
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stopped(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.stopped(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let allowed = self.allowance(bytes.len())?;
        let sent = std::task::ready!(Pin::new(&mut self.inner).poll_write(context, &bytes[..allowed]))?;
        self.spend(sent);
        Poll::Ready(Ok(sent))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| &**slice);
        self.poll_write(context, first)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Listens on a free loopback port.
pub struct CutListener {
    inner: TcpListener,
    stop: CancellationToken,
}

impl Listener for CutListener {
    type Io = CutStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CutStream, SocketAddr) {
        loop {
            if let Ok((stream, peer)) = self.inner.accept().await {
                let _ = stream.set_nodelay(true);
                return (CutStream::new(stream, self.stop.clone()), peer);
            }
            // Out of file handles, most likely: give others the time to close some.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Connected<IncomingStream<'_, CutListener>> for Knife {
    fn connect_info(stream: IncomingStream<'_, CutListener>) -> Self {
        Self(Arc::clone(&stream.io().left))
    }
}

/// Serves `router` on a loopback port (0: a free one) until `stop`; open connections end with it.
pub(super) async fn serve(port: u16, router: Router, stop: CancellationToken) -> io::Result<SocketAddr> {
    let inner = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = inner.local_addr()?;
    let listener = CutListener { inner, stop: stop.clone() };
    let service = router.into_make_service_with_connect_info::<Knife>();
    tokio::spawn(async move {
        tokio::select! {
            _ = axum::serve(listener, service) => {}
            () = stop.cancelled() => {}
        }
    });
    Ok(address)
}
