//! Single attempts against receivers that behave, misbehave and attack.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use super::loopback;
use super::memory::SECRET;
use super::receiver::{Receiver, Request, bare};
use crate::clock;
use crate::webhook::attempt::{Attempt, AttemptRules, Exchange, Sender};
use crate::webhook::fault::Fault;
use crate::webhook::guard::{Guard, Lookup, Ports, Refusal};
use crate::webhook::sign;

const BODY: &str = r#"{"id":"evt_1_1_7_0","type":"tracker.delivered","data":{"città":"Forlì"}}"#;

const SHORT: Duration = Duration::from_millis(400);

fn sender(guard: Guard, deadline: Duration, more_roots: Vec<CertificateDer<'static>>) -> Sender {
    Sender::new(guard, AttemptRules { deadline, more_roots, ..AttemptRules::default() }).unwrap()
}

async fn send_through(sender: &Sender, url: &str) -> Exchange {
    send_for("shop", sender, url).await
}

async fn send_for(shop: &str, sender: &Sender, url: &str) -> Exchange {
    let key = sign::decode(&SECRET.to_owned().into()).unwrap();
    let attempt = Attempt {
        shop: &shop.parse().unwrap(),
        url,
        id: "evt_1_1_7_0",
        number: 3,
        body: BODY,
        key: key.expose_secret(),
        at: clock::now(),
    };
    sender.send(attempt).await
}

async fn send(url: &str) -> Exchange {
    send_through(&sender(loopback(), Duration::from_secs(15), Vec::new()), url).await
}

/// One attempt with a short deadline, which it must keep.
async fn send_briefly(url: &str) -> Exchange {
    let started = Instant::now();
    let exchange = send_through(&sender(loopback(), SHORT, Vec::new()), url).await;
    assert!(started.elapsed() < SHORT + Duration::from_millis(400), "took {:?}", started.elapsed());
    exchange
}

fn answer(exchange: Exchange) -> crate::webhook::attempt::Answer {
    match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::Failed(fault) => panic!("{fault}"),
    }
}

fn fault(exchange: Exchange) -> Fault {
    match exchange {
        Exchange::Failed(fault) => fault,
        Exchange::Answered(answer) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn what_arrives_is_verified_by_a_library_of_others() {
    let (tell, mut told) = mpsc::channel(1);
    let receiver = Receiver::start(move |request, mut stream| {
        let tell = tell.clone();
        async move {
            tell.send(request).await.unwrap();
            stream.write_all(bare(204).as_bytes()).await.unwrap();
        }
    })
    .await;
    assert_eq!(answer(send(&receiver.url()).await).status, 204);
    let request = told.recv().await.unwrap();
    assert!(request.head.starts_with("POST /hook HTTP/1.1\r\n"), "{}", request.head);
    let mut headers = axum::http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.header(name).unwrap().parse().unwrap());
    }
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(request.body.as_bytes(), &headers).unwrap();
    assert_eq!(request.body, BODY);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("webhook-attempt"), Some("3"));
    assert_eq!(request.header("user-agent"), Some(concat!("wismo/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("accept-encoding"), None, "we do not decompress, so we do not ask for it");
}

#[tokio::test]
async fn a_body_that_drips_ends_at_the_deadline() {
    let receiver = Receiver::start(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let fault = fault(send_briefly(&receiver.url()).await);
    assert_eq!(fault, Fault::Timeout("answered 200 and did not end its body".into()));
}

#[tokio::test]
async fn of_a_huge_body_little_is_read_and_the_rest_dropped() {
    const HUGE: usize = 200 * 1024 * 1024;
    let written = Arc::new(AtomicUsize::new(0));
    let counter = written.clone();
    let receiver = Receiver::start(move |_, mut stream| {
        let counter = counter.clone();
        async move {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {HUGE}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let piece = vec![b'x'; 64 * 1024];
            while counter.load(Ordering::SeqCst) < HUGE && stream.write_all(&piece).await.is_ok() {
                counter.fetch_add(piece.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let answer = answer(send(&receiver.url()).await);
    assert_eq!((answer.status, answer.snippet.len()), (200, 1024));
    sleep(Duration::from_millis(100)).await;
    let written = written.load(Ordering::SeqCst);
    assert!(written < HUGE / 8, "the receiver got rid of {written} bytes: what the sockets hold, and no more");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Receiver::saying(bare(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", target.url());
        let answer = answer(send(&Receiver::saying(head).await.url()).await);
        assert_eq!((answer.status, answer.location), (status, Some(target.url())));
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn what_an_answer_says_is_read() {
    let said = "HTTP/1.1 429 X\r\nretry-after: 40\r\nwebhook-delivery: abort-message\r\nset-cookie: a=b\r\n\
                content-length: 9\r\n\r\nslow\x1b down";
    let answer = answer(send(&Receiver::saying(said).await.url()).await);
    assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("40")));
    assert_eq!(answer.control.as_deref(), Some("abort-message"));
    assert_eq!(answer.snippet, "slow\\u{1b} dow");
}

#[tokio::test]
async fn a_compressed_answer_stays_compressed() {
    let bomb = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd";
    assert_eq!(answer(send(&Receiver::saying(bomb).await.url()).await).snippet, "abcd");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    for cut in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.", "nonsense\r\n\r\n"] {
        let receiver = Receiver::saying(cut).await;
        let fault = fault(send(&receiver.url()).await);
        assert!(matches!(fault, Fault::Broken(_)), "{cut:?}: {fault:?}");
        assert!(!fault.to_string().contains("127.0.0.1"), "no URL in it: {fault}");
        assert_eq!(receiver.connections(), 1, "an attempt is one exchange");
    }
    let reset = Receiver::start(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.").await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    assert!(matches!(fault(send(&reset.url()).await), Fault::Broken(_)));
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let slow = Receiver::start(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x-a: b\r\n").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(fault(send_briefly(&slow.url()).await), Fault::Timeout("no answer".into()));
    let flood = Receiver::start(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        let line = format!("x-a: {}\r\n", "b".repeat(8000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    assert!(matches!(fault(send(&flood.url()).await), Fault::Broken(_)));
}

#[tokio::test]
async fn a_connection_is_used_again_by_its_own_shop_alone() {
    let receiver = Receiver::start(|_, mut stream| async move {
        loop {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            if Request::read(&mut stream).await.is_none() {
                break;
            }
        }
    })
    .await;
    let sender = sender(loopback(), Duration::from_secs(15), Vec::new());
    for _ in 0..5 {
        assert_eq!(answer(send_for("one", &sender, &receiver.url()).await).snippet, "ok");
    }
    assert_eq!(receiver.connections(), 1);
    assert_eq!(answer(send_for("two", &sender, &receiver.url()).await).status, 200);
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn silence_and_absence() {
    let silent = Receiver::start(|_, stream| async move {
        sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    assert_eq!(fault(send_briefly(&silent.url()).await), Fault::Timeout("no answer".into()));
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(fault(send(&format!("http://{gone}/")).await), Fault::Connect(_)));
}

/// A name server that gives the next of these answers at each question.
fn names(answers: &[&[&str]]) -> Lookup {
    let answers: Vec<Vec<IpAddr>> =
        answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect()).collect();
    let asked = AtomicUsize::new(0);
    Arc::new(move |_| {
        let turn = asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let found = answers[turn].clone();
        Box::pin(async move { Ok(found) })
    })
}

#[tokio::test]
async fn a_name_that_turns_to_loopback_after_registration_is_refused_at_the_socket() {
    let inside = Receiver::saying(bare(200)).await;
    let guard = Guard::with_lookup(Vec::new(), Ports::default(), names(&[&["93.184.216.34"], &["127.0.0.1"]]));
    let url = format!("https://shop.example:{}/hook", inside.address.port());
    guard.check(&url).await.expect("its address was public when it was registered");
    let fault = fault(send_through(&sender(guard, SHORT, Vec::new()), &url).await);
    assert!(matches!(fault, Fault::Refused(Refusal::Address { .. })), "{fault:?}");
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn every_way_to_loopback_is_refused_before_a_socket_is_opened() {
    let inside = Receiver::saying(bare(200)).await;
    let port = inside.address.port();
    let public_too = names(&[&["93.184.216.34", "127.0.0.1"]]);
    for (guard, host) in [
        (Guard::new(Vec::new(), Ports::default()), "localhost"),
        (Guard::new(Vec::new(), Ports::default()), "127.0.0.1"),
        (Guard::new(Vec::new(), Ports::default()), "0x7f.1"),
        (Guard::new(Vec::new(), Ports::default()), "[::ffff:127.0.0.1]"),
        (Guard::with_lookup(Vec::new(), Ports::default(), public_too), "mixed.example"),
        (Guard::new(vec!["127.0.0.2/32".parse().unwrap()], Ports::default()), "127.0.0.1"),
    ] {
        let sender = sender(guard, SHORT, Vec::new());
        for scheme in ["https", "http"] {
            let fault = fault(send_through(&sender, &format!("{scheme}://{host}:{port}/")).await);
            assert!(matches!(fault, Fault::Refused(_)), "{scheme} {host}: {fault:?}");
        }
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_name_without_address_is_a_class_of_its_own() {
    let nothing: Lookup = Arc::new(|_| Box::pin(async { Err(std::io::Error::other("no such host")) }));
    let guard = Guard::with_lookup(Vec::new(), Ports::default(), nothing);
    let fault = fault(send_through(&sender(guard, SHORT, Vec::new()), "https://shop.example/?key=secret").await);
    assert!(matches!(&fault, Fault::Dns(why) if why.contains("no such host") && !why.contains("secret")), "{fault:?}");
}

#[tokio::test]
async fn an_allowed_net_is_reached_by_name_as_well() {
    let inside = Receiver::saying(bare(200)).await;
    let guard = Guard::with_lookup(vec!["127.0.0.1/32".parse().unwrap()], Ports::default(), names(&[&["127.0.0.1"]]));
    let url = format!("http://receiver.internal:{}/", inside.address.port());
    assert_eq!(answer(send_through(&sender(guard, SHORT, Vec::new()), &url).await).status, 200);
}

/// An authority of our own, and what it signs.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// A receiver over TLS that shows a certificate for this name, expired or not.
    async fn receiver(&self, name: &str, expired: bool) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                if Request::read(&mut stream).await.is_some() {
                    let _ = stream.write_all(bare(204).as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        port
    }
}

/// Speaks plain http to whoever connects, before a word is said.
async fn plain_http_at_once() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(bare(400).as_bytes()).await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    });
    port
}

#[tokio::test]
async fn https_with_a_wrong_certificate_is_a_class_of_its_own() {
    let authority = Authority::new();
    let good = format!("https://localhost:{}/", authority.receiver("localhost", false).await);
    let other_name = format!("https://localhost:{}/", authority.receiver("other.example", false).await);
    let expired = format!("https://localhost:{}/", authority.receiver("localhost", true).await);
    let no_tls = format!("https://localhost:{}/", plain_http_at_once().await);

    let guard = Guard::with_lookup(vec!["127.0.0.1/32".parse().unwrap()], Ports::default(), names(&[&["127.0.0.1"]]));
    let trusting = sender(guard.clone(), Duration::from_secs(15), vec![authority.root.clone()]);
    assert_eq!(answer(send_through(&trusting, &good).await).status, 204);
    for url in [&other_name, &expired, &no_tls] {
        let fault = fault(send_through(&trusting, url).await);
        assert!(matches!(fault, Fault::Tls(_)), "{url}: {fault:?}");
    }
    let strange = sender(guard, Duration::from_secs(15), Vec::new());
    assert!(matches!(fault(send_through(&strange, &good).await), Fault::Tls(_)), "an authority nobody trusts");
}
