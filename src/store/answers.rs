//! What is kept beside trackers for definitions that will be mended: the newest answer about each, and the codes that
//! no table knew.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::{Reader, Store, keys, scripts};
use crate::model::{CarrierCode, TrackerId};

/// Of `zstd`: beyond it the gain is a few bytes, and the time many times as long.
const LEVEL: i32 = 3;
/// No answer that was read is larger; a damaged one must not fill the memory.
const LARGEST: usize = 16 << 20;
/// Codes that are counted for each carrier.
const MOST_CODES: usize = 500;

/// A code that a carrier's table did not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmappedCode {
    /// As the carrier gave it; empty where its scans have words only.
    #[serde(default)]
    pub code: String,
    /// The carrier's words, of the newest scan with it.
    pub text: String,
    /// The parcel of that scan, masked.
    pub number: String,
    /// Scans with it.
    pub count: u64,
    /// When it was seen first and last, in ms since 1970.
    pub first: i64,
    /// See `first`.
    pub last: i64,
}

/// A scan with such a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmappedScan {
    /// The code, or nothing.
    pub code: String,
    /// The carrier's words.
    pub text: String,
    /// The parcel's number, masked.
    pub number: String,
}

impl UnmappedScan {
    /// Codes are counted by code; without one by their words.
    fn field(&self) -> String {
        if self.code.is_empty() { format!("={}", self.text) } else { self.code.clone() }
    }
}

impl Store {
    /// Keeps what a carrier answered about a tracker for `life`; in place of what was kept before.
    pub async fn keep_answer(&self, id: &TrackerId, answer: &[u8], life: Duration) -> Result<(), StoreError> {
        let packed = zstd::bulk::compress(answer, LEVEL)
            .map_err(|error| StoreError::Refused(format!("an answer cannot be compressed: {error}")))?;
        self.keep(id, &packed, life).await
    }

    /// Lets what is kept of a tracker live on for `life` from now.
    pub async fn keep_on(&self, id: &TrackerId, life: Duration) -> Result<(), StoreError> {
        self.keep(id, &[], life).await
    }

    async fn keep(&self, id: &TrackerId, packed: &[u8], life: Duration) -> Result<(), StoreError> {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX >> 12).max(1);
        let call = scripts::KEEP.on(&[keys::tracker(id), keys::answer(id)]).arg(life).arg(packed);
        call.run::<u64>(&self.connection()).await?;
        Ok(())
    }

    /// What is kept of the newest answers about these trackers, in their order.
    pub async fn kept_answers(&self, ids: &[TrackerId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let commands: Vec<redis::Cmd> = ids.iter().map(|id| redis::cmd("GET").arg(keys::answer(id)).clone()).collect();
        let answers = self.reader().ask_all::<Option<Vec<u8>>>(&commands).await?;
        let open = |(id, packed): (&TrackerId, Option<Vec<u8>>)| match packed {
            None => Ok(None),
            Some(packed) => zstd::bulk::decompress(&packed, LARGEST)
                .map(Some)
                .map_err(|error| StoreError::Damaged { key: keys::answer(id), problem: error.to_string() }),
        };
        ids.iter().zip(answers).map(open).collect()
    }

    /// Counts scans whose code the carrier's table does not know.
    pub async fn count_unmapped(&self, carrier: &CarrierCode, scans: &[UnmappedScan]) -> Result<(), StoreError> {
        let now = crate::model::time::to_millis(self.now().await?);
        let mut call = scripts::UNMAPPED.on(&[keys::unmapped(carrier)]).arg(MOST_CODES).arg(now);
        for scan in scans {
            call = call.arg(scan.field()).arg(&scan.text).arg(&scan.number);
        }
        self.ask::<u64>(redis::cmd("SADD").arg(keys::UNMAPPED).arg(carrier.as_str())).await?;
        call.run::<u64>(&self.connection()).await?;
        Ok(())
    }
}

impl Reader {
    /// The carriers that sent codes which their tables did not know.
    pub async fn carriers_with_unmapped(&self) -> Result<Vec<CarrierCode>, StoreError> {
        let mut codes: Vec<String> = self.ask(redis::cmd("SMEMBERS").arg(keys::UNMAPPED)).await?;
        codes.sort();
        Ok(codes.iter().filter_map(|code| code.parse().ok()).collect())
    }

    /// The codes that a carrier's table did not know, the most frequent first.
    pub async fn unmapped(&self, carrier: &CarrierCode) -> Result<Vec<UnmappedCode>, StoreError> {
        let key = keys::unmapped(carrier);
        let fields: Vec<(String, String)> = self.ask(redis::cmd("HGETALL").arg(&key)).await?;
        let mut codes = Vec::with_capacity(fields.len());
        for (field, text) in fields {
            let entry: UnmappedCode = serde_json::from_str(&text)
                .map_err(|error| StoreError::Damaged { key: key.clone(), problem: format!("{field}: {error}") })?;
            let code = if field.starts_with('=') { String::new() } else { field };
            codes.push(UnmappedCode { code, ..entry });
        }
        codes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (&a.code, &a.text).cmp(&(&b.code, &b.text))));
        Ok(codes)
    }
}
