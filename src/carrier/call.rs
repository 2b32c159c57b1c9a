//! What goes into a call and what comes back, without how either is made.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use thiserror::Error;

/// One parcel to ask about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallItem {
    /// The carrier's normalised form of its number.
    pub number: String,
    /// What the carrier asks for beside the number, by the names of its definition.
    pub inputs: BTreeMap<String, String>,
    /// [`crate::model::Observation::digest`] of the newest answer: an equal one is not mapped again.
    pub known_digest: Option<u64>,
    /// [`crate::carrier::ParcelAnswer::bytes`] of the newest answer: one of the same bytes is not even parsed.
    pub known_bytes: Option<u64>,
    /// Whether the answer is to be handed on as it was read ([`crate::carrier::ParcelAnswer::kept`]).
    pub keep: bool,
}

/// The account that a call is made with.
#[derive(Debug, Clone)]
pub struct AccountContext<'a> {
    /// One of the definition's environments.
    pub environment: String,
    /// Where to call instead of the environment's own address; the token call goes there, too.
    pub base_url: Option<String>,
    /// By the names of the definition.
    pub credentials: &'a BTreeMap<String, SecretString>,
    /// Language of texts, as the operator configured it: `fr`, `en-GB`.
    pub language: Option<String>,
}

/// What differs from call to call.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The time now.
    pub now: Timestamp,
    /// Names the call in the carrier's logs.
    pub request_id: String,
}

/// A request ready to be sent.
#[derive(Clone)]
pub struct CallRequest {
    /// `GET`, `POST`.
    pub method: String,
    /// Where to; it can hold secrets. [`CallRequest::shown_url`] is for logs.
    pub url: String,
    /// In the order of the definition; values can be secret.
    pub headers: Vec<(String, SecretString)>,
    /// What to send; it can hold secrets.
    pub body: Option<Vec<u8>>,
    /// For the whole exchange.
    pub timeout: Duration,
}

impl CallRequest {
    /// The address without user, query and fragment, and only as far as it holds no secret: host and port.
    #[must_use]
    pub fn shown_url(&self) -> String {
        match url::Url::parse(&self.url) {
            Ok(url) => format!("{}/…", url.origin().ascii_serialization()),
            Err(_) => "…".to_owned(),
        }
    }
}

impl fmt::Debug for CallRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CallRequest")
            .field("method", &self.method)
            .field("url", &self.shown_url())
            .field("headers", &headers)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Why no request could be made. It never holds values, only names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallProblem {
    /// The account names an environment that the definition lacks.
    #[error("{carrier} has no environment {given:?}: use one of {known}")]
    Environment {
        /// The carrier.
        carrier: String,
        /// What was asked.
        given: String,
        /// What there is.
        known: String,
    },
    /// A credential is not configured.
    #[error("{carrier} needs the credential {name:?}: {help}")]
    Credential {
        /// The carrier.
        carrier: String,
        /// Its name.
        name: String,
        /// What it is and where to get it.
        help: String,
    },
    /// An input is missing.
    #[error("{carrier} needs {name:?} of each parcel: {help}")]
    Input {
        /// The carrier.
        carrier: String,
        /// Its name.
        name: String,
        /// What it is.
        help: String,
    },
    /// More or fewer numbers than one call takes.
    #[error("{carrier} takes 1 to {most} numbers a call, {given} were given")]
    Count {
        /// The carrier.
        carrier: String,
        /// The most that one call takes.
        most: u32,
        /// How many were given.
        given: usize,
    },
    /// A token is needed and there is none.
    #[error("{0} needs a token and none was given")]
    Token(String),
    /// A template failed.
    #[error("{carrier}: {place}: {problem}")]
    Template {
        /// The carrier.
        carrier: String,
        /// Which part of the definition.
        place: String,
        /// What failed.
        problem: String,
    },
    /// The address that came out is none.
    #[error("{carrier}: the address that {place} gives is not a valid http or https URL")]
    Url {
        /// The carrier.
        carrier: String,
        /// Which part of the definition.
        place: String,
    },
    /// A header that came out cannot be sent.
    #[error("{carrier}: the header {name:?} holds characters that cannot be sent")]
    Header {
        /// The carrier.
        carrier: String,
        /// Its name.
        name: String,
    },
}

/// An answer as it came.
#[derive(Clone)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// When it arrived.
    pub observed_at: Timestamp,
}

impl RawAnswer {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Answers hold people's data and, from token calls, secrets: the body is not shown.
impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("observed_at", &self.observed_at)
            .finish_non_exhaustive()
    }
}
