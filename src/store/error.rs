//! What can go wrong between us and the store.

use thiserror::Error;

/// An error of the store. [`StoreError::is_passing`] tells whether waiting may help.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Redis did not answer, or answered with an error.
    #[error("Redis: {}", shortly(&.0.to_string()))]
    Redis(#[from] redis::RedisError),
    /// A key holds something that this version does not understand.
    #[error("{key} holds what wismo did not write there: {problem}")]
    Damaged {
        /// Which key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server must not be used as it is set up.
    #[error("this Redis cannot be used: {0}")]
    Unfit(String),
    /// Sealing or opening a secret failed.
    #[error("{0}")]
    Secret(String),
    /// What was asked for contradicts what is stored.
    #[error("{0}")]
    Refused(String),
    /// Somebody else wrote it in this moment. Says of what and what became of it; fit for whoever asked.
    #[error("{0}")]
    Conflict(String),
    /// The private server could not be started, adopted or stopped.
    #[error("{0}")]
    Private(String),
}

impl StoreError {
    /// A word for figures.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Redis(error) if error.is_timeout() => "timeout",
            Self::Redis(error) if error.is_io_error() || error.is_connection_dropped() => "io",
            Self::Redis(error) => match error.code() {
                Some("OOM") => "oom",
                Some("LOADING") => "loading",
                Some("READONLY") => "readonly",
                Some("CLUSTERDOWN") => "clusterdown",
                Some("NOSCRIPT") => "noscript",
                _ => "other",
            },
            Self::Damaged { .. } => "damaged",
            _ => "refused",
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Redis(error) => !matches!(
                error.kind(),
                redis::ErrorKind::AuthenticationFailed
                    | redis::ErrorKind::InvalidClientConfig
                    | redis::ErrorKind::UnexpectedReturnType
            ),
            _ => false,
        }
    }
}

/// Of many commands sent at once that all fail, usually for one reason, the first tells enough.
fn shortly(told: &str) -> String {
    let (failures, first) = (told.matches("(Index ").count(), told.split("error: ").nth(1));
    match first.filter(|_| failures > 1 && told.starts_with("Pipeline failures")) {
        Some(first) => {
            let first = first.split("), (Index ").next().unwrap_or(first);
            format!("{first} (and {} more like it)", failures - 1)
        }
        None => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortly;

    #[test]
    fn a_pipeline_that_failed_is_told_by_its_first_failure() {
        let told = "Pipeline failures: [(Index 0, error: LOADING: Redis is loading), (Index 1, error: LOADING: Redis is loading)]";
        assert_eq!(shortly(told), "LOADING: Redis is loading (and 1 more like it)");
        assert_eq!(shortly("Connection refused"), "Connection refused");
    }
}
