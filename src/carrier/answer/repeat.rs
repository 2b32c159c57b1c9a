//! An answer of the same bytes says the same: it is known before it is parsed.

use super::{Answer, AnswerReader, ParcelAnswer, digest};
use crate::carrier::call::{CallItem, RawAnswer};
use crate::model::PollOutcome;

impl AnswerReader<'_> {
    /// What an answer says whose bytes are those of the newest one, without looking into it.
    pub(super) fn repeated(&self, item: &CallItem, response: &RawAnswer) -> Option<Answer> {
        let (known, digest) = (item.known_bytes?, item.known_digest?);
        if self.bytes(item, response, digest) != known {
            return None;
        }
        let parcel = ParcelAnswer::without(&item.number, PollOutcome::Ok, None);
        let parcel = ParcelAnswer { unchanged: true, bytes: Some(known), ..parcel };
        Some(Answer::of(vec![parcel], None))
    }

    /// The digest is a part of it, so it fits only the tracker that took in the very answer of these bytes.
    fn bytes(&self, item: &CallItem, response: &RawAnswer, digest: u64) -> u64 {
        digest::of_bytes(&[self.version, digest, u64::from(response.status)], |part| {
            part(item.number.as_bytes());
            for (name, value) in self.env.as_object().into_iter().flatten() {
                part(name.as_bytes());
                part(value.as_str().unwrap_or_default().as_bytes());
            }
            part(response.header("content-type").unwrap_or_default().as_bytes());
            for (name, value) in response.headers.iter().filter(|_| self.reads_headers) {
                part(name.as_bytes());
                part(value.as_bytes());
            }
            part(&response.body);
        })
    }

    /// Notes the hash of an answer about one parcel. One about several is never asked for in the same company again:
    /// there the digest of what is mapped has to do.
    pub(super) fn remember(&self, items: &[CallItem], response: &RawAnswer, answer: &mut Answer) {
        if let ([item], [parcel], None) = (items, answer.parcels.as_mut_slice(), &answer.message) {
            let known = item.known_digest.filter(|_| parcel.unchanged);
            let digest = parcel.observation.as_ref().map(|observation| observation.digest).or(known);
            parcel.bytes = digest.map(|digest| self.bytes(item, response, digest));
        }
    }
}
