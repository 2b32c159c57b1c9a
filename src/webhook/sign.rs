//! Standard Webhooks signatures, version `v1`: HMAC-SHA256 over `id.timestamp.body`.
//!
//! The header holds tokens of exactly one comma, joined by exactly one blank, in padded base64: some verifiers
//! answer anything else with a crash instead of a refusal.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use thiserror::Error;

/// How a written secret starts.
pub const SECRET_PREFIX: &str = "whsec_";

/// Bytes in a secret that we make. The standard allows 24 to 64.
const SECRET_BYTES: usize = 32;

/// A secret that cannot be used. None of the sentences holds a part of it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SecretProblem {
    /// It does not start with [`SECRET_PREFIX`].
    #[error("a webhook secret starts with whsec_")]
    Prefix,
    /// What follows is no padded base64.
    #[error("a webhook secret is whsec_ and padded base64")]
    Base64,
    /// Too short to be safe, or longer than the standard allows.
    #[error("a webhook secret holds 24 to 64 bytes, this one holds {0}")]
    Length(usize),
    /// The machine's source of randomness failed.
    #[error("the machine has no randomness to make a secret from")]
    Randomness,
}

/// The value of `webhook-signature` for these exact body bytes.
///
/// # Panics
/// Never: HMAC takes keys of any length.
#[must_use]
pub fn signature(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

/// A new secret, written as shops see it: `whsec_` and the base64 of 32 random bytes.
///
/// # Errors
/// [`SecretProblem::Randomness`] when the machine has none.
pub fn generate_secret() -> Result<SecretString, SecretProblem> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| SecretProblem::Randomness)?;
    Ok(format!("{SECRET_PREFIX}{}", BASE64.encode(&bytes)).into())
}

/// The key bytes of a written secret.
///
/// # Errors
/// Says what is wrong with its shape, never what it is.
pub fn decode(written: &SecretString) -> Result<SecretSlice<u8>, SecretProblem> {
    let encoded = written.expose_secret().trim().strip_prefix(SECRET_PREFIX).ok_or(SecretProblem::Prefix)?;
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| SecretProblem::Base64)?;
    if !(24..=64).contains(&bytes.len()) {
        return Err(SecretProblem::Length(bytes.len()));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_vector() {
        let key = decode(&SECRET.to_owned().into()).unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            signature(key.expose_secret(), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_library_of_others_accepts_it_and_refuses_a_changed_byte() {
        let written = generate_secret().unwrap();
        let key = decode(&written).unwrap();
        let now = crate::clock::now().as_second();
        let body = r#"{"id":"evt_1_2_3_4","data":{"città":"Forlì"}}"#;
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("webhook-id", "evt_1_2_3_4".parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        let signed = signature(key.expose_secret(), "evt_1_2_3_4", now, body.as_bytes());
        headers.insert("webhook-signature", signed.parse().unwrap());
        let library = standardwebhooks::Webhook::new(written.expose_secret()).unwrap();
        library.verify(body.as_bytes(), &headers).unwrap();
        assert!(library.verify(body.replace("Forl", "Forn").as_bytes(), &headers).is_err());
        headers.insert("webhook-timestamp", (now + 1).to_string().parse().unwrap());
        assert!(library.verify(body.as_bytes(), &headers).is_err());
    }

    #[test]
    fn secrets_are_padded_and_bad_ones_are_refused_without_telling_them() {
        let written = generate_secret().unwrap();
        assert_eq!(written.expose_secret().len(), SECRET_PREFIX.len() + 44);
        assert!(written.expose_secret().ends_with('='));
        for (text, problem) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretProblem::Prefix),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", SecretProblem::Base64),
            ("whsec_AAAA", SecretProblem::Length(3)),
        ] {
            let refused = decode(&text.to_owned().into()).unwrap_err();
            assert_eq!(refused, problem);
            assert!(!refused.to_string().contains("MfKQ"));
        }
    }
}
