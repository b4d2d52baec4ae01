//! The part of the input that a shard reads (SPEC 7, "Shards"): from the listing alone, and with SPLIT `bytes` to the line
//! ends that follow. A shard and the one after it look for the end of one and the start of the other in the same way, so
//! that they meet.

use crate::config::shard::{Shard, Split};
use crate::decode::Format;
use crate::error::{Error, Result};
use crate::gzip;
use crate::limits::{CUT_OBJECT_BYTES, LINE_LOOK_BYTES, SEGMENT_BYTES};
use crate::source::{Place, Span};
use crate::stop::Stop;
use crate::store::inputs::{Input, Inputs};

/// The part of `inputs` that `shard` reads.
///
/// Errors: the stores' own, where a place must be looked for in an object.
pub(super) fn span(
    inputs: &Inputs,
    format: &Format,
    shard: Option<Shard>,
    stop: &Stop,
) -> Result<Span> {
    let Some(Shard {
        index,
        count,
        split,
    }) = shard
    else {
        return Ok(Span::whole(inputs.len()));
    };
    let cuts = match (split, format) {
        (Split::Bytes, Format::Ndjson { .. }) => true,
        (Split::Bytes | Split::Objects, _) => false,
    };
    let may_cut = |bytes: u64| cuts && bytes >= CUT_OBJECT_BYTES;
    let sizes = || inputs.iter().map(|input| input.entry.bytes);
    let Span { from, to } = Span::of_shard(sizes, may_cut, index, count);
    let settle = |place: Place| match inputs.get(place.input) {
        Some(input) if place.offset > 0 => settled(input, place, stop),
        Some(_) | None => Ok(place),
    };
    Ok(Span {
        from: settle(from)?,
        to: settle(to)?,
    })
}

/// The part of a range of so many numbers that `shard` reads.
pub(super) fn span_of_range(numbers: u64, shard: Option<Shard>) -> Span {
    match shard {
        None => Span::whole(1),
        Some(Shard { index, count, .. }) => {
            Span::of_shard(|| [numbers].into_iter(), |_| true, index, count)
        }
    }
}

/// After the first line end at or after a place within an object. Where there is none, or the object is compressed, so
/// that nobody can begin to read in the middle of it, that is the object's end: the shard in which it begins reads it.
fn settled(input: Input<'_>, place: Place, stop: &Stop) -> Result<Place> {
    let end = Place::start(place.input + 1);
    let start = input.look(0..gzip::MAGIC_BYTES, stop)?;
    if gzip::is_magic(&start) {
        return Ok(end);
    }
    let bytes = input.entry.bytes;
    let (mut offset, mut step) = (place.offset, LINE_LOOK_BYTES);
    while offset < bytes {
        stop.check()?;
        let looked = input.look(offset..offset.saturating_add(step), stop)?;
        if let Some(at) = looked.iter().position(|&byte| byte == b'\n') {
            let after = offset.saturating_add(length(at)).saturating_add(1);
            return Ok(match after < bytes {
                true => Place {
                    offset: after,
                    ..place
                },
                false => end,
            });
        }
        if looked.is_empty() {
            return Err(Error::defect("looking for a line end", "no bytes"));
        }
        offset = offset.saturating_add(length(looked.len()));
        // Lines are short, or very long.
        step = step.saturating_mul(4).min(length(SEGMENT_BYTES));
    }
    Ok(end)
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
