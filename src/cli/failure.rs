//! Why a command did not do what it was asked for, and the exit code that says so.

use std::fmt;

use super::{DATA, UNAVAILABLE, USAGE};
use crate::store::StoreError;

/// One sentence for the one who typed the command, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// One of those of sysexits.
    pub code: u8,
    /// What was wrong, and what would help.
    pub text: String,
}

impl Failure {
    /// The command was used wrongly, or names what is not there.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: USAGE, text: text.into() }
    }

    /// What was given cannot be used.
    pub fn data(text: impl Into<String>) -> Self {
        Self { code: DATA, text: text.into() }
    }

    /// Something that is needed is not there.
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string())
    }
}
