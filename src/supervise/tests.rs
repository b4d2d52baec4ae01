//! Verdicts and guards; real signals and panics are in tests/supervise.rs.

use super::*;

#[test]
fn f116_how_far_the_commit_is_decides_what_an_interruption_means() {
    let ended = |kind| Ending::Ended(Err(Error::new(kind, "x", "x", "own word", "x")));
    let done = || Ending::Ended(Ok(Outcome::Printed));
    let drain = || Ending::DrainOver(Cause::Deadline);
    let second = || Ending::SecondSignal(Cause::Sigint);
    let panic = Error::defect("working", "a panic");
    for (name, ending, phase, first, want) in [
        ("done", done(), Phase::Closed, None, Ok(())),
        (
            "done, and a late panic",
            done(),
            Phase::Committed,
            Some(&panic),
            Ok(()),
        ),
        (
            "failed",
            ended(Kind::Data),
            Phase::Working,
            None,
            Err((Kind::Data, "own word")),
        ),
        (
            "failed after a panic",
            ended(Kind::Interrupted),
            Phase::Working,
            Some(&panic),
            Err((Kind::Defect, "a panic")),
        ),
        (
            "failed with the result out",
            ended(Kind::Unavailable),
            Phase::ResultSent,
            Some(&panic),
            Err((Kind::Unavailable, "own word")),
        ),
        (
            "failed after the commit",
            ended(Kind::LocalIo),
            Phase::Committed,
            None,
            Ok(()),
        ),
        (
            "drain over",
            drain(),
            Phase::Working,
            None,
            Err((Kind::Interrupted, "after deadline")),
        ),
        (
            "drain over after a panic",
            drain(),
            Phase::Working,
            Some(&panic),
            Err((Kind::Defect, "a panic")),
        ),
        (
            "drain over with the result out",
            drain(),
            Phase::ResultSent,
            None,
            Err((Kind::Unavailable, "outcome unknown")),
        ),
        (
            "drain over after the commit",
            drain(),
            Phase::Committed,
            None,
            Ok(()),
        ),
        (
            "second signal",
            second(),
            Phase::Working,
            None,
            Err((Kind::Interrupted, "second signal, sigint")),
        ),
        (
            "second signal with the result out",
            second(),
            Phase::ResultSent,
            None,
            Err((Kind::Interrupted, "outcome unknown")),
        ),
        (
            "second signal after the commit",
            second(),
            Phase::Committed,
            None,
            Ok(()),
        ),
    ] {
        let verdict = verdict(ending, phase, first);
        match (verdict, want) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err((kind, text))) => {
                assert_eq!(error.kind(), kind, "{name}");
                assert!(error.to_string().contains(text), "{name}: {error}");
            }
            (verdict, want) => panic!("{name}: {verdict:?}, not {want:?}"),
        }
    }
}

#[test]
fn f107_a_guarded_panic_is_an_error_and_the_first_failure_stays() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let stop = Stop::new(clock.clone(), Duration::MAX, Duration::MAX);
    let context = Context::unwatched(clock, stop);
    let error = context.guard::<()>(|| panic!("deliberate")).unwrap_err();
    assert_eq!(error.kind(), Kind::Defect);
    context.fail(Error::new(Kind::Data, "a", "b", "first", "d"));
    context.fail(Error::new(Kind::Input, "a", "b", "second", "d"));
    assert_eq!(context.stop.cause(), Some(Cause::Failure));
    let error = context.guard::<()>(|| panic!("deliberate")).unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
}
