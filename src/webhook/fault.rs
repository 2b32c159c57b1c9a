//! Why an exchange failed, in classes that a shop and an operator can act on.

use std::error::Error;
use std::io;

use thiserror::Error;

use super::guard::{NameFault, Refusal};

/// An exchange without a whole answer. The sentences hold no URL: a URL may carry a secret of the shop's.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Fault {
    /// The guard refused the URL or an address of its name.
    #[error("refused address: {0}")]
    Refused(Refusal),
    /// The name has no address, or the resolver failed.
    #[error("dns: {0}")]
    Dns(String),
    /// No connection.
    #[error("connect: {0}")]
    Connect(String),
    /// No TLS session: a wrong or expired certificate, for example.
    #[error("tls: {0}")]
    Tls(String),
    /// The deadline passed.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The answer broke off, or was no HTTP.
    #[error("broken answer: {0}")]
    Broken(String),
    /// The fault is ours.
    #[error("internal: {0}")]
    Internal(String),
}

/// The class of an HTTP client's error. It is read off the causes inside, not off their words.
pub(super) fn of(error: &reqwest::Error) -> Fault {
    if let Some(fault) = causes(error).find_map(|cause| cause.downcast_ref::<NameFault>()) {
        return match fault {
            NameFault::Refused(refusal) => Fault::Refused(refusal.clone()),
            NameFault::Unresolved { .. } => Fault::Dns(fault.to_string()),
        };
    }
    if let Some(fault) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return Fault::Tls(fault.to_string());
    }
    let root = causes(error).last().map(ToString::to_string).unwrap_or_default();
    if error.is_timeout() {
        let what = if error.is_connect() { "no connection" } else { "no answer" };
        Fault::Timeout(what.to_owned())
    } else if error.is_connect() {
        Fault::Connect(root)
    } else if error.is_builder() {
        Fault::Internal(root)
    } else {
        Fault::Broken(root)
    }
}

/// The causes of an error from the outside in. An I/O error hides the error that it wraps; this does not. The
/// error itself is left out, since an HTTP client's own sentence holds the URL.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(inner(error), |cause| inner(*cause))
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|wrapped| wrapped as &(dyn Error + 'static)),
        None => error.source(),
    }
}
