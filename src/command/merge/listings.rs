//! Which inputs differ between shards that listed different things, as far as their inputs.ndjson.gz tell: each lists only
//! what that shard read, so that a thousand shards of a million objects do not write a billion lines.

use std::collections::BTreeMap;

use super::documents::{NAMED, Shard};
use super::lines;
use crate::digest::Digest;
use crate::error::Result;
use crate::stop::Stop;

/// Inputs of one shard that are compared; more would only lengthen an error.
const COMPARED: usize = 100_000;

/// What can be said of the listings that are not `listing`: inputs that another shard has under the same number or URI.
pub(super) fn differences(shards: &[Shard], listing: Digest, stop: &Stop) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let is_other = |shard: &&Shard| shard.inputs.listing_sha256 != listing;
    for shard in shards.iter().filter(is_other) {
        let mut by_uri = BTreeMap::new();
        lines::inputs_of(shard, stop, &mut |number, line| {
            if by_uri.len() < COMPARED {
                by_uri.insert(line.uri.clone(), (number, line.etag.clone(), line.bytes));
            }
            Ok(())
        })?;
        for other in shards.iter().filter(|other| !is_other(other)) {
            lines::inputs_of(other, stop, &mut |number, line| {
                let of_shard = by_uri.get(&line.uri);
                if let Some((here, etag, bytes)) = of_shard
                    && found.len() < NAMED
                    && (*here != number || *etag != line.etag || *bytes != line.bytes)
                {
                    let what = match here == &number {
                        true => "in another state".to_owned(),
                        false => format!("number {here} of its inputs, not {number}"),
                    };
                    let (uri, other) = (&line.uri, other.part.i);
                    let index = shard.part.i;
                    found.push(format!("{uri} (shards {index} and {other}): {what}"));
                }
                Ok(())
            })?;
        }
    }
    if found.is_empty() {
        found.push(
            "no input that two of them read differs: compare the lists of the objects now and then"
                .to_owned(),
        );
    }
    Ok(found)
}
