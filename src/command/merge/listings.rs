//! Which inputs differ between shards that listed different things, as far as their inputs.ndjson.gz tell: each lists only
//! what that shard read, so that a thousand shards of a million objects do not write a billion lines.

use std::collections::BTreeMap;

use super::artifact::Reading;
use super::documents::{NAMED, Shard};
use super::lines;
use crate::digest::Digest;
use crate::error::Result;

/// Inputs that are compared; more would only lengthen an error.
const COMPARED: usize = 100_000;

/// What can be said of the listings that are not `listing`: inputs that another shard has under another number, or in
/// another state.
pub(super) fn differences(
    shards: &[Shard],
    listing: Digest,
    reading: &Reading<'_>,
) -> Result<Vec<String>> {
    let mut known = BTreeMap::new();
    let is_other = |shard: &&Shard| shard.inputs.listing_sha256 != listing;
    let others = shards.iter().filter(is_other);
    lines::inputs_of(others, reading, &mut |shard, number, line| {
        if known.len() < COMPARED {
            let state = (line.etag.clone(), line.bytes);
            known.insert(line.uri.clone(), (shard.part.i, number, state));
        }
        Ok(())
    })?;
    let mut found = Vec::new();
    let agreeing = shards.iter().filter(|shard| !is_other(shard));
    lines::inputs_of(agreeing, reading, &mut |shard, number, line| {
        let Some((other, there, state)) = known.get(&line.uri) else {
            return Ok(());
        };
        let what = match (*there == number, *state == (line.etag.clone(), line.bytes)) {
            (true, true) => return Ok(()),
            (true, false) => "in another state".to_owned(),
            (false, _) => format!("number {there} of its inputs, not {number}"),
        };
        if found.len() < NAMED {
            let (uri, shard) = (&line.uri, shard.part.i);
            found.push(format!("{uri} (shards {other} and {shard}): {what}"));
        }
        Ok(())
    })?;
    if found.is_empty() {
        let text =
            "no input that two of them read differs: compare the lists of the objects now and then";
        found.push(text.to_owned());
    }
    Ok(found)
}
