//! Reading many answers of which some may have failed.

use std::collections::BTreeMap;

use redis::{FromRedisValue, RedisError, RedisResult, Value};

use crate::store::error::StoreError;
use crate::telemetry::Repeats;

/// A server that reads its data, or is away, fails every part of every look.
static PARTS_FAILED: Repeats = Repeats::new();

/// The answers that came; an error only where not one did.
pub(super) fn those_that_came<T: FromRedisValue>(
    answers: Vec<Result<Value, RedisError>>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut came = Vec::with_capacity(answers.len());
    let mut failure = None;
    let mut causes: BTreeMap<String, u64> = BTreeMap::new();
    for answer in answers {
        match answer.and_then(|value| Ok(redis::from_redis_value::<T>(value)?)) {
            Ok(value) => came.push(Some(value)),
            Err(error) => {
                *causes.entry(error.to_string()).or_default() += 1;
                failure = Some(error);
                came.push(None);
            }
        }
    }
    for (error, parts) in causes {
        if let Some(times) = PARTS_FAILED.count(&error, parts) {
            tracing::warn!(
                event = "store_part_failed",
                error,
                times,
                "Parts of the store did not answer; told every 10 seconds."
            );
        }
    }
    match failure {
        Some(error) if came.iter().all(Option::is_none) => Err(error.into()),
        _ => Ok(came),
    }
}

/// All the answers, or the first error.
pub(super) fn all_of_them<T: FromRedisValue>(answers: Vec<RedisResult<Value>>) -> Result<Vec<T>, StoreError> {
    answers.into_iter().map(|answer| Ok(redis::from_redis_value(answer?).map_err(RedisError::from)?)).collect()
}
