//! What is accepted as a provider's document.

use kit::callout::CalloutResponse;
use kit::units::spell_size;

use super::fetch::Fetch;
use crate::jwk::KeySet;

/// Reads the keys out of an answer, with a sentence for each that is of no use; or says what is wrong with it, without
/// a word of its own.
pub(super) fn keys(response: &CalloutResponse, fetch: &Fetch) -> Result<(KeySet, Vec<String>), String> {
    match response.status() {
        Some(200) => {}
        Some(status @ 300..=399) => {
            return Err(format!(
                "the answer was {status}, and redirects are not followed; give the final `uri`"
            ));
        }
        // The proxy's own words for a connection that was refused, and for a timeout.
        Some(status @ (503 | 504)) => return Err(format!("the answer was {status}, or there was none")),
        Some(status) => return Err(format!("the answer was {status}")),
        None => return Err("the connection broke".to_owned()),
    }
    if fetch.max_size < response.size {
        let size = response.size;
        let max = spell_size(u64::try_from(fetch.max_size).unwrap_or(u64::MAX));
        return Err(format!("the document has {size} bytes, and `max_size` is {max}"));
    }
    document(&response.body, fetch)
}

/// Reads the keys out of a document; one without a single key of use is none.
pub(super) fn document(document: &[u8], fetch: &Fetch) -> Result<(KeySet, Vec<String>), String> {
    let (set, skipped) =
        KeySet::parse(document, fetch.max_keys).map_err(|problem| format!("the document: {problem}"))?;
    if set.len() == 0 {
        return Err(match skipped.as_slice() {
            [] => "the document has no keys".to_owned(),
            [first, ..] => format!("none of the document's keys is of use: {first}"),
        });
    }
    Ok((set, skipped))
}
