//! Reading many answers of which some may have failed.

use redis::{FromRedisValue, RedisError, RedisResult, Value};

use crate::store::error::StoreError;

/// The answers that came; an error only where not one did.
pub(super) fn those_that_came<T: FromRedisValue>(
    answers: Vec<RedisResult<Value>>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut came = Vec::with_capacity(answers.len());
    let mut failure = None;
    for answer in answers {
        match answer.and_then(|value| Ok(redis::from_redis_value::<T>(value)?)) {
            Ok(value) => came.push(Some(value)),
            Err(error) => {
                tracing::warn!(event = "store_part_failed", error = %error, "one part of the store did not answer");
                failure = Some(error);
                came.push(None);
            }
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
