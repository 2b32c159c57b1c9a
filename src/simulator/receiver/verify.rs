//! Standard Webhooks signatures, written here a second time on purpose: a sender cannot prove itself.

use axum::http::HeaderMap;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Seconds that a timestamp may differ from the clock here, either way.
const TOLERANCE: i64 = 300;

/// The signature `v1,<base64>` of a message under a secret (`whsec_<base64>`); `None` when the secret is malformed.
pub fn sign(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let key = BASE64.decode(secret.strip_prefix("whsec_")?.as_bytes()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())))
}

/// Checks a delivery as a careful shop does; says what is wrong with it.
pub fn verify(secret: Option<&str>, headers: &HeaderMap, body: &[u8], now: i64) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    let secret = secret.ok_or("no secret is known for this endpoint")?;
    let id = text("webhook-id").ok_or("webhook-id is missing")?;
    if id.contains('.') {
        return Err("webhook-id holds a full stop");
    }
    let timestamp = text("webhook-timestamp").ok_or("webhook-timestamp is missing")?;
    let sent: i64 = timestamp.parse().map_err(|_| "webhook-timestamp is no number")?;
    if now.saturating_sub(sent).saturating_abs() > TOLERANCE {
        return Err("webhook-timestamp is too far from now");
    }
    let given = text("webhook-signature").ok_or("webhook-signature is missing")?;
    let right = sign(secret, id, timestamp, body).ok_or("the secret is malformed")?;
    let matches = |one: &str| bool::from(one.as_bytes().ct_eq(right.as_bytes()));
    if given.split(' ').any(matches) { Ok(()) } else { Err("no signature matches") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks libraries' own tests.
    #[test]
    fn agrees_with_the_published_example() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn one_good_signature_among_several_is_enough_and_nothing_else_is() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = b"{}";
        let good = sign(secret, "evt_1", "1000", body).unwrap();
        let headers = |signature: &str, timestamp: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", "evt_1".parse().unwrap());
            headers.insert("webhook-timestamp", timestamp.parse().unwrap());
            headers.insert("webhook-signature", signature.parse().unwrap());
            headers
        };
        assert_eq!(verify(Some(secret), &headers(&format!("v1,AAAA {good}"), "1000"), body, 1000), Ok(()));
        assert!(verify(Some(secret), &headers(&good, "1000"), b"{ }", 1000).is_err(), "another body");
        assert!(verify(Some(secret), &headers(&good, "1001"), body, 1000).is_err(), "another time");
        assert!(verify(Some(secret), &headers(&good, "1000"), body, 1301).is_err(), "too old");
        assert!(verify(None, &headers(&good, "1000"), body, 1000).is_err(), "no secret");
    }
}
