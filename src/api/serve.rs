//! Accepts connections: so many at once, and none that dawdles. Sockets are what the API shares with polling and
//! webhooks; a client that opens many, or never ends its request, must not use them up.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::patience::Patient;
use super::{Api, operators, router};
use crate::telemetry::Pulse;

/// Connections at once; more wait in the system's queue. Half of the file handles that a process usually has.
const MOST_CONNECTIONS: usize = 512;
/// What one connection may keep in memory of a request's head, and of answers that its client does not read.
const BUFFER: usize = 64 * 1024;
/// Wait after a failed accept: out of file handles, most likely, and others need the time to close some.
const PAUSE: Duration = Duration::from_millis(50);

/// For whom a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The API.
    Shops,
    /// Health and figures.
    Operators,
}

/// Serves until cancelled, then lets requests in flight end. The head of a request, and the wait for the next one on an
/// open connection, may take as long as a request may.
pub async fn serve(listener: TcpListener, api: Api, face: Face, pulse: Pulse, cancel: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(api.request_timeout).max_buf_size(BUFFER);
    let patience = api.request_timeout;
    let service = TowerToHyperService::new(match face {
        Face::Shops => router(api),
        Face::Operators => operators(api),
    });
    let open = GracefulShutdown::new();
    let accept = async {
        loop {
            // Never closed: it ends with this function.
            let Ok(slot) = pulse.idle(Arc::clone(&slots).acquire_owned()).await else { return };
            let stream = match pulse.idle(listener.accept()).await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(event = "accept_failed", %error, "A connection could not be accepted.");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let connection =
                open.watch(http.serve_connection(TokioIo::new(Patient::new(stream, patience)), service.clone()));
            tokio::spawn(async move {
                // It ends with an error where the client went away or was too slow: nothing to do about either.
                let _ = connection.await;
                drop(slot);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = cancel.cancelled() => {}
    }
    drop(listener);
    open.shutdown().await;
}
