//! The pure stages' own problems as errors of a run, with where they were met and what to do (SPEC 8).

use crate::config::values::OnBadRecord;
use crate::decode::Fault;
use crate::error::{Error, Kind, Place};
use crate::query::Problem;
use crate::rollup::Failure;

/// A bad record, where none or no more may be.
pub(super) fn bad_record(
    expected: &str,
    found: &str,
    on_bad_record: OnBadRecord,
    place: Place,
) -> Error {
    let advice = match on_bad_record {
        OnBadRecord::Fail => {
            "correct the record or its column, or allow some with WINDROW_ON_BAD_RECORD=reject:N"
                .to_owned()
        }
        OnBadRecord::Reject { limit } => {
            format!(
                "{limit} records were rejected before it, as many as WINDROW_ON_BAD_RECORD allows"
            )
        }
    };
    Error::new(Kind::Data, "decoding", expected, found, advice).at(place)
}

/// A value that an expression has no result for.
pub(super) fn evaluation(query: &str, problem: &Problem) -> Error {
    let expression = problem.span.of(query);
    let expected = format!(
        "{} (in `{expression}`, byte {} of the query)",
        problem.expected, problem.span.start
    );
    let advice = if problem.advice.is_empty() {
        "change the query or the input"
    } else {
        &problem.advice
    };
    Error::new(Kind::Data, "evaluating", expected, &problem.found, advice)
}

/// Nothing of the object can be read from there on.
pub(super) fn object_fault(fault: &Fault, uri: &str) -> Error {
    let advice = "correct the object; such a fault cannot be rejected as one record";
    let place = Place {
        uri: uri.to_owned(),
        offset_bytes: Some(fault.offset),
        ..Place::default()
    };
    Error::new(
        Kind::Data,
        "reading",
        fault.reason.expected(),
        fault.reason.found(),
        advice,
    )
    .at(place)
}

/// What ended a rollup.
pub(super) fn lift_rollup(query: &str, failure: Failure) -> Error {
    match failure {
        Failure::Problem(problem) => evaluation(query, &problem),
        Failure::Full(full) => full.exceeded.error(full.holder.name(), full.entries),
    }
}
