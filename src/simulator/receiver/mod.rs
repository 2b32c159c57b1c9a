//! A shop's webhook endpoint: checks each signature with code of its own, keeps a ledger of what arrived, and behaves
//! as badly as it is told to.
//!
//! One server stands for any number of endpoints, told apart by the last part of the path: `/hooks/NAME`.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::net::{self, Knife};
use super::sabotage::{Saboteur, Spoiled};
use super::time::SimClock;

mod arrival;
mod verify;

pub use arrival::{Arrival, Arrivals, ArrivedEvent};
pub use verify::{sign, verify};

const LARGEST_BODY: usize = 1024 * 1024;

/// What an endpoint does with a delivery, once it has noted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with a status and an empty body. 200 is what a healthy shop does, 410 says "never again".
    Status(u16),
    /// Answers with a status (429, 503) and `Retry-After: <text>`.
    RetryAfter(u16, String),
    /// 302 to somewhere else.
    Redirect(String),
    /// Never answers.
    Hang,
    /// 200 after a while.
    Slow(Duration),
    /// 200 at once, then a body that comes drop by drop and never ends.
    Drip(Duration),
    /// 200 and a body of so many bytes.
    Huge(usize),
    /// Breaks the connection before any answer: the shop has it, the sender cannot know.
    CutBeforeAnswer,
}

/// Prints or collects a line for each arrival.
pub type Listener = Arc<dyn Fn(&Arrival) + Send + Sync>;

#[derive(Debug, Default)]
struct Desk {
    secret: Option<String>,
    behaviour: Option<(Behaviour, Option<u32>)>,
}

/// The receiver at work. It stops with the token that it was started with. Cheap to share.
#[derive(Clone)]
pub struct Receiver {
    clock: SimClock,
    address: SocketAddr,
    arrivals: Arrivals,
    desks: Arc<Mutex<HashMap<String, Desk>>>,
    saboteur: Saboteur,
    listener: Option<Listener>,
}

impl Receiver {
    /// Starts a receiver on a free loopback port (`port` 0) or a given one.
    pub async fn start(
        clock: SimClock,
        port: u16,
        listener: Option<Listener>,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let mut receiver = Self {
            clock,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            arrivals: Arrivals::default(),
            desks: Arc::default(),
            saboteur: Saboteur::default(),
            listener,
        };
        // The handlers share all but the address, which only the card that is handed out needs.
        let router = Router::new()
            .route("/hooks/{name}", post(deliver))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(receiver.clone());
        receiver.address = net::serve(port, router, stop).await?;
        Ok(receiver)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL to register for an endpoint.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/hooks/{name}", self.address)
    }

    /// Tells the secret (`whsec_...`) that an endpoint was given when it was registered.
    pub fn expect(&self, name: &str, secret: &str) {
        self.desks().entry(name.to_owned()).or_default().secret = Some(secret.to_owned());
    }

    /// Makes an endpoint behave in a way, for so many deliveries (`None`: until told otherwise), then well again.
    pub fn behave(&self, name: &str, behaviour: Behaviour, times: Option<u32>) {
        self.desks().entry(name.to_owned()).or_default().behaviour = Some((behaviour, times));
    }

    /// Makes an endpoint behave well again.
    pub fn behave_well(&self, name: &str) {
        self.desks().entry(name.to_owned()).or_default().behaviour = None;
    }

    /// What arrived.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The one who spoils deliveries on their way, when asked to.
    pub fn saboteur(&self) -> &Saboteur {
        &self.saboteur
    }

    fn desks(&self) -> MutexGuard<'_, HashMap<String, Desk>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.desks().get(name).and_then(|desk| desk.secret.clone())
    }

    fn behaviour(&self, name: &str) -> Behaviour {
        let mut desks = self.desks();
        let Some(slot) = desks.get_mut(name).map(|desk| &mut desk.behaviour) else { return Behaviour::Status(200) };
        match slot {
            None | Some((_, Some(0))) => {
                *slot = None;
                Behaviour::Status(200)
            }
            Some((behaviour, times)) => {
                if let Some(times) = times {
                    *times -= 1;
                }
                behaviour.clone()
            }
        }
    }

    /// Reads, checks and notes one delivery.
    fn note(&self, name: &str, headers: &HeaderMap, body: &[u8], answer: u16) {
        let secret = self.secret(name);
        let wall = self.clock.wall(self.clock.now()).as_second();
        let verdict = verify(secret.as_deref(), headers, body, wall);
        let arrival = Arrival::read(self.clock.now(), name, headers, body, verdict, answer);
        let arrival = self.arrivals.add(arrival);
        if let Some(listener) = &self.listener {
            listener(&arrival);
        }
    }
}

async fn deliver(
    State(receiver): State<Receiver>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let behaviour = receiver.behaviour(&name);
    let answer = match &behaviour {
        Behaviour::Status(status) | Behaviour::RetryAfter(status, _) => *status,
        Behaviour::Redirect(_) => 302,
        Behaviour::Slow(_) | Behaviour::Huge(_) => 200,
        // Nobody has accepted what got no whole answer.
        Behaviour::Hang | Behaviour::Drip(_) | Behaviour::CutBeforeAnswer => 0,
    };
    for Spoiled { headers, body } in receiver.saboteur.pass(Spoiled { headers, body }) {
        receiver.note(&name, &headers, &body, answer);
    }
    act(behaviour, &knife).await
}

async fn act(behaviour: Behaviour, knife: &Knife) -> Response {
    match behaviour {
        Behaviour::Status(status) => plain(status),
        Behaviour::RetryAfter(status, after) => with_header(plain(status), "retry-after", &after),
        Behaviour::Redirect(target) => with_header(plain(302), "location", &target),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Slow(wait) => {
            tokio::time::sleep(wait).await;
            plain(200)
        }
        Behaviour::Drip(every) => Response::new(Body::from_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(every).await;
            Some((Ok::<_, io::Error>(Bytes::from_static(b".")), ()))
        }))),
        Behaviour::Huge(bytes) => Response::new(Body::from(vec![b'x'; bytes])),
        Behaviour::CutBeforeAnswer => {
            knife.cut_after(0);
            plain(200)
        }
    }
}

fn plain(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response
}

fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests;
