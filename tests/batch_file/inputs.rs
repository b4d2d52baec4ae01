//! Inputs and texts that are missing, changed, doubled or not to be read: rows 36, 37, 111 and 122 of the fault
//! catalogue, on files.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::common::job::Job;
use crate::common::place::Place;
use crate::common::{skipped, surroundings};

const COLUMNS: &str = "a BIGINT";
const QUERY: &str = "SELECT sum(a) AS s FROM input";

#[test]
fn f037_nothing_there() {
    let place = Place::new("f037");
    place.put("dir/in.csv", "a\n1\n");
    fs::create_dir(place.path("empty")).unwrap();
    for (name, input) in [
        ("file", "gone.csv"),
        ("directory", "gone/"),
        ("directory-with-nothing", "empty/"),
        ("glob", "dir/*.ndjson"),
        ("glob-of-directories", "d*/x-*.csv"),
        ("below-a-file", "dir/in.csv/in.csv"),
        ("file-as-directory", "dir/in.csv/"),
        ("directory-as-file", "dir"),
    ] {
        let ended = Job::csv(&place, input, COLUMNS, QUERY).named(name).run();
        ended.failed(66, "listing");
        assert!(
            ended.uri().starts_with(&place.uri(input)),
            "{name}: {}",
            ended.uri()
        );
        assert_eq!(ended.failure()["records"]["read"], 0);
    }
}

#[test]
fn f122_an_object_reached_twice() {
    let place = Place::new("f122");
    let path = place.put("in/a.csv", "a\n1\n");
    place.put("in/b.csv", "a\n2\n");
    fs::hard_link(path, place.path("in/c.csv")).unwrap();
    let many = |names: &[&str]| {
        let uris: Vec<String> = names.iter().map(|name| place.uri(name)).collect();
        serde_json::to_string(&uris).unwrap()
    };
    for (name, inputs, twice, first) in [
        (
            "by-name",
            &["in/a.csv", "in/b.csv", "in/a.csv"][..],
            "in/a.csv",
            "in/a.csv",
        ),
        (
            "by-hard-link",
            &["in/a.csv", "in/c.csv"],
            "in/c.csv",
            "in/a.csv",
        ),
        ("in-one-directory", &["in/"], "in/c.csv", "in/a.csv"),
        (
            "by-directory-and-glob",
            &["in/b.csv", "in/*.csv"],
            "in/b.csv",
            "in/b.csv",
        ),
    ] {
        let job = Job::csv(&place, "", COLUMNS, QUERY).named(name);
        let ended = job.with("INPUT", many(inputs)).run();
        ended.failed(66, "listing");
        assert_eq!(ended.uri(), place.uri(twice), "{name}");
        assert!(
            ended
                .why()
                .contains(&format!("reached before as {}", place.uri(first))),
            "{}",
            ended.why()
        );
    }
    let job = Job::csv(&place, "", COLUMNS, QUERY).named("once");
    let ended = job.with("INPUT", many(&["in/b.csv", "in/a.csv"])).run();
    assert_eq!(ended.rollup(), "s\n3\n");
    let order: Vec<_> = ended
        .inputs()
        .iter()
        .map(|line| line["uri"].clone())
        .collect();
    assert_eq!(
        order,
        [place.uri("in/b.csv"), place.uri("in/a.csv")],
        "INPUT's order"
    );
}

#[test]
fn f122_links_and_what_is_no_file() {
    let place = Place::new("f122-links");
    let path = place.put("real/a.csv", "a\n1\n");
    fs::create_dir(place.path("in")).unwrap();
    symlink(&path, place.path("in/link.csv")).unwrap();
    fs::create_dir(place.path("pipes")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(place.path("pipes/a.csv"))
        .status();
    assert!(made.unwrap().success());
    fs::create_dir(place.path("linked")).unwrap();
    symlink(place.path("real"), place.path("linked/dir")).unwrap();
    for (name, input, found) in [
        ("link", "in/link.csv", "a symbolic link"),
        ("link-in-directory", "in/", "a symbolic link"),
        ("link-by-glob", "in/*.csv", "a symbolic link"),
        ("directory-that-is-a-link", "linked/", "a symbolic link"),
        ("pipe", "pipes/a.csv", "a device, pipe or socket"),
    ] {
        let ended = Job::csv(&place, input, COLUMNS, QUERY).named(name).run();
        ended.failed(66, "listing");
        assert!(
            ended.why().ends_with(&format!("found {found}")),
            "{name}: {}",
            ended.why()
        );
    }
}

#[test]
fn f110_an_input_that_this_user_may_not_read() {
    let place = Place::new("f110-input");
    let path = place.put("in.csv", "a\n1\n");
    fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    let job = Job::csv(&place, "in.csv", COLUMNS, QUERY);
    let Some(command) = surroundings::as_nobody(&place, &job, &[]) else {
        return skipped("f110", "no setpriv");
    };
    let ended = job.run_as(command);
    ended.failed(74, "reading");
    assert_eq!(ended.uri(), place.uri("in.csv"));
    assert!(ended.why().contains("Permission denied"), "{}", ended.why());
    assert!(ended.advice().contains("right"), "{}", ended.advice());
}

/// So much that it is not all read ahead, with a query that takes its time.
fn long_job(place: &Place) -> Job {
    let mut object = "a\n".to_owned();
    for number in 0..600_000 {
        writeln!(object, "{number:09}").unwrap();
    }
    place.put("in/1.csv", object);
    place.put("in/2.csv", "a\n1\n");
    let query = "SELECT sum(round(sqrt(sqrt(sqrt(sqrt(a)))), 3)) AS s FROM input";
    Job::csv(place, "in/", COLUMNS, query).with("THREADS", "1")
}

/// Row 36 for files: size, times and inode are looked at with every read.
#[test]
fn f036_f037_an_input_that_changes_while_it_is_read() {
    let place = Place::new("f036");
    let job = long_job(&place);
    let first = place.path("in/1.csv");
    let original = fs::read(&first).unwrap();
    let append = |path: &Path| {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"1\n").unwrap();
    };
    let truncate = |path: &Path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(5_000_002).unwrap();
    };
    let touch = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    };
    let replace = |path: &Path| {
        let other = path.with_extension("new");
        fs::write(&other, "a\n1\n").unwrap();
        fs::rename(other, path).unwrap();
    };
    let chmod = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    type Change<'a> = (&'a str, &'a str, &'a dyn Fn(&Path), &'a str);
    let changes: [Change<'_>; 8] = [
        ("appended", "1", &append, "changed while it was read"),
        ("truncated", "1", &truncate, "changed while it was read"),
        ("touched", "1", &touch, "changed while it was read"),
        ("replaced", "1", &replace, "changed while it was read"),
        (
            "deleted",
            "1",
            &|path| fs::remove_file(path).unwrap(),
            "changed while it was read",
        ),
        ("other-rights", "1", &chmod, "changed while it was read"),
        (
            "next-appended",
            "2",
            &append,
            "changed before it was opened",
        ),
        (
            "next-deleted",
            "2",
            &|path| fs::remove_file(path).unwrap(),
            "that it is gone",
        ),
    ];
    for (name, file, change, found) in changes {
        fs::write(&first, &original).unwrap();
        let mut run = job.clone().named(name).start();
        run.until_open(&first);
        run.signal("STOP");
        assert!(!run.is_over(), "{name}");
        let path = place.path(&format!("in/{file}.csv"));
        change(&path);
        run.signal("CONT");
        let ended = run.end();
        ended.failed(66, "reading");
        assert_eq!(ended.uri(), place.uri(&format!("in/{file}.csv")), "{name}");
        assert!(ended.why().contains(found), "{name}: {}", ended.why());
    }
    place.put("in/2.csv", "a\n1\n");
    fs::write(&first, &original).unwrap();
    assert_eq!(job.named("unchanged").run().code, 0);
}

/// What is added to a directory after it was listed is no input; row 36's other side.
#[test]
fn f036_a_file_that_comes_later_is_no_input() {
    let place = Place::new("f036-later");
    let mut run = long_job(&place).start();
    run.until_open(&place.path("in/1.csv"));
    run.signal("STOP");
    assert!(!run.is_over());
    place.put("in/3.csv", "a\n1\n");
    run.signal("CONT");
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.summary());
    assert_eq!(ended.inputs().len(), 2);
}

#[test]
fn f111_texts_from_files() {
    let place = Place::new("f111");
    place.put("in.csv", "a\n1\n2\n");
    place.put("query.sql", format!("{QUERY}\n"));
    place.put("columns.txt", COLUMNS);
    let job = || {
        let job = Job::csv(&place, "in.csv", COLUMNS, QUERY)
            .without("QUERY")
            .without("COLUMNS");
        job.with("QUERY_URI", place.uri("query.sql"))
            .with("COLUMNS_URI", place.uri("columns.txt"))
    };
    let ended = job().named("good").run();
    assert_eq!(ended.rollup(), "s\n3\n");
    let manifest = ended.manifest();
    assert_eq!(manifest["query"], format!("{QUERY}\n"));
    assert_eq!(manifest["config"]["QUERY_URI"], place.uri("query.sql"));

    let padded = |bytes: usize| format!("{QUERY}{}", " ".repeat(bytes - QUERY.len()));
    place.put("longest.sql", padded(64 << 10));
    place.put("too-long.sql", padded((64 << 10) + 1));
    place.put("not-utf8.sql", b"SELECT '\xff' AS x FROM input");
    place.put("wrong.sql", "SELECT sum(b) AS s FROM input");
    place.put("empty.sql", "");
    fs::create_dir(place.path("directory")).unwrap();
    symlink(place.path("query.sql"), place.path("link.sql")).unwrap();
    let longest = job()
        .named("longest")
        .with("QUERY_URI", place.uri("longest.sql"));
    assert_eq!(longest.run().rollup(), "s\n3\n", "at the limit");
    for (number, (variable, file, why)) in [
        ("QUERY_URI", "gone.sql", "found none"),
        ("QUERY_URI", "too-long.sql", "65536 bytes"),
        ("QUERY_URI", "not-utf8.sql", "other bytes"),
        ("QUERY_URI", "directory", "found something else"),
        ("QUERY_URI", "link.sql", "a symbolic link"),
        ("QUERY_URI", "query.sql/x", "found none"),
        ("QUERY_URI", "wrong.sql", "found b; the columns are a"),
        ("QUERY_URI", "empty.sql", "SELECT"),
        ("COLUMNS_URI", "gone.txt", "found none"),
        ("COLUMNS_URI", "too-long.sql", "65536 bytes"),
        ("COLUMNS_URI", "not-utf8.sql", "other bytes"),
        ("COLUMNS_URI", "empty.sql", ""),
        ("COLUMNS_URI", "query.sql", "COLUMNS"),
    ]
    .into_iter()
    .enumerate()
    {
        let job = job().named(&format!("bad-{number}"));
        let ended = job.with(variable, place.uri(file)).run();
        ended.refused(78);
        let message = ended.summary()["message"].as_str().unwrap();
        assert!(message.contains(why), "{variable} {file}: {message}");
        let is_told = message.contains(&place.uri(file)) || message.contains(variable);
        assert!(is_told, "{variable} {file}: {message}");
    }
}

#[test]
fn f111_a_text_that_this_user_may_not_read() {
    let place = Place::new("f111-denied");
    let path = place.put("query.sql", QUERY);
    fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
    let job = Job::range(&place, "0..9", "").without("QUERY");
    let job = job.with("QUERY_URI", place.uri("query.sql"));
    let Some(command) = surroundings::as_nobody(&place, &job, &[]) else {
        return skipped("f111", "no setpriv");
    };
    let ended = job.run_as(command);
    ended.refused(78);
    assert!(ended.why().contains("Permission denied"), "{}", ended.why());
    assert_eq!(ended.uri(), place.uri("query.sql"));
}

/// Row 40 for files: a name is taken literally, and order is by bytes.
#[test]
fn f040_names_of_files() {
    let place = Place::new("f040");
    let names = [
        "A.csv",
        "a b.csv",
        "a%20b.csv",
        "a&<>\"'.csv",
        "a+b.csv",
        "a-b.csv",
        "a.csv",
        "a/z.csv",
        "a0.csv",
        "b\n.csv",
        "deep/er/and/deeper.csv",
        "q?x=1#y.csv",
        "\u{e4}\u{1f600}.csv",
    ];
    assert!(names.is_sorted());
    for name in names.iter().rev() {
        place.put(&format!("in/{name}"), "a\n1\n");
    }
    place.put("in/.tmp-1234", "not an object");
    let columns = "a BIGINT, o VARCHAR FROM @object";
    let job = Job::csv(&place, "in/", columns, "SELECT o FROM input");
    let ended = job.with("OUTPUT_FORMAT", "ndjson").run();
    let listed: Vec<_> = ended
        .inputs()
        .iter()
        .map(|line| line["uri"].clone())
        .collect();
    let uris = names.map(|name| place.uri(&format!("in/{name}")));
    assert_eq!(listed, uris);
    let rows = ended.text("rollup.ndjson");
    let rows = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap()["o"].clone());
    assert_eq!(rows.collect::<Vec<_>>(), uris);

    for name in ["a%20b.csv", "q?x=1#y.csv", "a&<>\"'.csv"] {
        let job = Job::csv(&place, &format!("in/{name}"), "a BIGINT", QUERY);
        assert_eq!(
            job.named(&name.len().to_string()).run().rollup(),
            "s\n1\n",
            "{name}"
        );
    }
    let other = place.path("in").join(OsStr::from_bytes(b"\xff.csv"));
    fs::write(other, "a\n1\n").unwrap();
    let ended = Job::csv(&place, "in/", "a BIGINT", QUERY)
        .named("not-utf8")
        .run();
    ended.failed(66, "listing");
    assert_eq!(ended.why(), "expected names in UTF-8, found \\xff.csv");
}
