//! A bare HTTP client for this room's own tests: what is sent is seen in full.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Got {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends one request on a connection of its own; `None` when the connection breaks before a whole answer.
pub(super) async fn send(to: SocketAddr, line: &str, headers: &[(&str, &str)], body: &str) -> Option<Got> {
    let mut request =
        format!("{line} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    request.push_str(body);
    let exchange = async {
        let mut stream = TcpStream::connect(to).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok()?;
        read(&String::from_utf8_lossy(&bytes))
    };
    tokio::time::timeout(Duration::from_secs(5), exchange).await.ok().flatten()
}

fn read(answer: &str) -> Option<Got> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length =
        head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let whole = length.is_none_or(|length: usize| body.len() == length);
    whole.then(|| Got { status, head: head.to_lowercase(), body: body.to_owned() })
}
