//! Runs that race for one RUN_ID: rows 49 and 114 of the fault catalogue, on files.

use std::sync::Barrier;
use std::thread::scope;

use crate::common::ended::Ended;
use crate::common::job::Job;
use crate::common::place::{Place, snapshot};

const RUNS: usize = 8;

#[test]
fn f049_f114_eight_processes_at_one_moment() {
    let place = Place::new("f049");
    // Long enough that the losers come while the winner works, in half of the rounds.
    for round in 0..20 {
        let numbers = if round % 2 == 0 { "0..10" } else { "0..400000" };
        let job = Job::range(&place, numbers, "SELECT sum(i) AS s FROM input");
        let job = job.named(&round.to_string());
        let start = Barrier::new(RUNS);
        let ended: Vec<Ended> = scope(|scope| {
            let runs: Vec<_> = (0..RUNS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        job.run()
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        let codes: Vec<i32> = ended.iter().map(|ended| ended.code).collect();
        let with = |code| codes.iter().filter(|&&one| one == code).count();
        assert_eq!((with(0), with(73)), (1, RUNS - 1), "{codes:?}");
        for loser in ended.iter().filter(|ended| ended.code == 73) {
            assert_eq!(loser.told("started").len(), 0, "no work before the claim");
            assert_eq!(loser.told("input").len(), 0, "no work before the claim");
            assert!(loser.advice().contains("new RUN_ID"), "{}", loser.advice());
        }
        // The audit of the winner found exactly what its manifest lists, so the losers wrote nothing and left nothing.
        let winner = ended.iter().find(|ended| ended.code == 0).unwrap();
        winner.audit();
        let started = winner.told("started");
        assert!(started[0]["cpus"].as_u64() >= Some(1), "{started:?}");
        assert!(started[0]["memory_limit_bytes"].is_u64(), "{started:?}");
        assert!(winner.rollup().starts_with("s\n"));
    }
}

/// The loser meets a winner that works: neither its files nor its outcome change.
#[test]
fn f114_a_loser_beside_a_run_that_works() {
    let place = Place::new("f114");
    let job = Job::range(&place, "0..9000000000000", "SELECT sum(i) AS s FROM input");
    let mut winner = job.start();
    winner.until("input");
    winner.signal("STOP");
    let before = snapshot(&place.path("out"));
    let ended = job.run();
    assert_eq!(ended.code, 73, "{}", ended.summary());
    assert_eq!(snapshot(&place.path("out")), before);
    winner.signal("CONT");
    assert!(!winner.is_over());
    winner.signal("TERM");
    winner.end().failed(75, "reading");
}
