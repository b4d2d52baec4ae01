//! Files as objects: the commit's system calls, symbolic links, changes while reading, listings.

use std::io::Read;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::budget::Budget;
use crate::clock::ManualClock;
use crate::random::SystemRandomness;
use crate::store::inputs::Inputs;
use crate::store::lifted;
use crate::store::scratch::Scratch;

fn stop() -> Stop {
    let clock = Arc::new(ManualClock::default());
    Stop::new(clock, Duration::from_secs(100), Duration::from_secs(10))
}

fn nonce() -> Nonce {
    Nonce::draw(&SystemRandomness::default()).unwrap()
}

fn output(scratch: &Scratch) -> FileStore {
    FileStore::output(scratch.path())
}

/// What an answer was, and the code it would end a run with.
fn said(answer: &Answer) -> (&'static str, u8) {
    match answer {
        Answer::Created { .. } => ("created", 0),
        Answer::Exists => ("exists", 0),
        Answer::Lost(error) => ("lost", error.kind().exit_code()),
        Answer::Spent(error) => ("spent", error.kind().exit_code()),
        Answer::Refused(error) | Answer::NotSent(error) => ("refused", error.kind().exit_code()),
    }
}

#[test]
fn an_object_is_created_once_and_leaves_nothing_else() {
    let scratch = Scratch::new();
    let store = output(&scratch);
    let put = |body: &[u8]| said(&store.put("run/a/b.csv", body, &nonce(), &stop()));
    assert_eq!(put(b"first"), ("created", 0));
    assert_eq!(put(b"second"), ("exists", 0));
    assert_eq!(scratch.files(), ["run/a/b.csv"]);
    let opened = store.open("run/a/b.csv", None, &stop()).unwrap().unwrap();
    assert_eq!(opened.read_small("", 5).unwrap(), b"first");
    let head = store.head("run/a/b.csv", &stop()).unwrap().unwrap();
    assert_eq!(head.bytes, 5);
    assert!(store.head("run/a/c", &stop()).unwrap().is_none());
    assert!(
        store
            .open("run/a/b.csv/c", None, &stop())
            .unwrap_err()
            .kind()
            == Kind::LocalIo
    );
}

#[test]
fn parts_become_one_object_or_none() {
    let scratch = Scratch::new();
    let (store, stop) = (output(&scratch), stop());
    let upload = store.begin("run/big", &nonce(), &stop).unwrap();
    let whole = vec![b'a'; PART_BYTES];
    // The second part first, and twice: a part may be sent again.
    store.part(&upload, 2, b"wrong", &stop).unwrap();
    let second = store.part(&upload, 2, b"tails", &stop).unwrap();
    let first = store.part(&upload, 1, &whole, &stop).unwrap();
    assert!(store.head("run/big", &stop).unwrap().is_none());
    let short = store.complete(&upload, std::slice::from_ref(&first), &stop);
    assert_eq!(said(&short), ("refused", 74));
    let complete = store.complete(&upload, &[first, second], &stop);
    assert_eq!(said(&complete), ("created", 0));
    assert_eq!(scratch.files(), ["run/big"]);
    let bytes = fs::read(scratch.path().join("run/big")).unwrap();
    assert_eq!(
        (bytes.len(), &bytes[PART_BYTES..]),
        (PART_BYTES + 5, &b"tails"[..])
    );

    let upload = store.begin("run/dropped", &nonce(), &stop).unwrap();
    store.part(&upload, 1, b"x", &stop).unwrap();
    store.abort(&upload, &stop).unwrap();
    store.abort(&upload, &stop).unwrap();
    assert_eq!(scratch.files(), ["run/big"]);
}

#[test]
fn f110_f121_what_the_system_refuses() {
    let fails = |number: i32| io::Error::from_raw_os_error(number);
    let mut no_links = Calls::SYSTEM;
    no_links.link = |_, _| Err(io::Error::from_raw_os_error(1));
    let mut no_room = Calls::SYSTEM;
    no_room.link = |_, _| Err(io::Error::from_raw_os_error(28));
    let mut link_unsure = Calls::SYSTEM;
    link_unsure.link = |from, to| {
        fs::hard_link(from, to)?;
        Err(io::Error::from_raw_os_error(17))
    };
    let mut sync_fails = Calls::SYSTEM;
    sync_fails.sync_directory = |_| Err(io::Error::from_raw_os_error(5));
    for (name, calls, want, text, files) in [
        (
            "no hard links",
            no_links,
            ("refused", 74),
            "a file system with hard links",
            0,
        ),
        ("full", no_room, ("refused", 74), "make room on the disk", 0),
        ("a link made and denied", link_unsure, ("created", 0), "", 1),
        (
            "directory not synced",
            sync_fails,
            ("spent", 74),
            // As the standard library says it on any C library.
            "os error 5",
            1,
        ),
    ] {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path().join("run")).unwrap();
        let mut store = output(&scratch);
        store.calls = calls;
        let answer = store.put("run/a", b"body", &nonce(), &stop());
        assert_eq!(said(&answer), want, "{name}");
        assert!(format!("{answer:?}").contains(text), "{name}: {answer:?}");
        assert_eq!(scratch.files().len(), files, "{name}");
        if name == "directory not synced" {
            // Its name is there, but nobody may rely on it: a later sync would prove nothing.
            store.calls = Calls::SYSTEM;
            assert_eq!(
                store.head("run/a", &stop()).unwrap_err().kind(),
                Kind::LocalIo
            );
        }
    }
    assert_eq!(advice(fails(28).kind()), "make room on the disk");
    assert_eq!(advice(fails(13).kind()), "give this user the right to it");
}

#[test]
fn f110_no_right_to_write() {
    // The kernel lets nobody make files there, root included.
    let store = FileStore::output(Path::new("/proc/self/task"));
    let answer = store.put("run/a", b"", &nonce(), &stop());
    assert_eq!(said(&answer), ("refused", 74));
}

#[test]
fn f110_what_is_in_the_way_below_output() {
    for (name, key, make) in [
        (
            "a file for a directory",
            "run/a",
            (|at| fs::write(at, "").unwrap()) as fn(&Path),
        ),
        ("a link to a directory", "run/a", |at| {
            symlink("/tmp", at).unwrap()
        }),
        ("a dangling link", "run/a", |at| {
            symlink("/nowhere", at).unwrap()
        }),
        ("a link as the object", "run", |at| {
            symlink("/etc/hostname", at).unwrap()
        }),
    ] {
        let scratch = Scratch::new();
        make(&scratch.path().join("run"));
        let store = output(&scratch);
        let answer = store.put(key, b"body", &nonce(), &stop());
        assert_eq!(said(&answer), ("refused", 74), "{name}");
        if key == "run/a" {
            let listed = store.list(&Pattern::below("run"), &stop());
            assert_eq!(listed.unwrap_err().kind(), Kind::LocalIo, "{name}");
        }
    }
}

#[test]
fn f110_keys_that_lead_elsewhere() {
    let scratch = Scratch::new();
    let store = FileStore::output(&scratch.path().join("out"));
    let long = "a/".repeat(512) + "b";
    for key in [
        "",
        "..",
        "../a",
        "a/../../b",
        "./a",
        "a//b",
        "/a",
        "a/",
        ".tmp-x",
        "a\0b",
        &long,
    ] {
        assert_eq!(
            said(&store.put(key, b"", &nonce(), &stop())),
            ("refused", 74),
            "{key:?}"
        );
    }
    // A name that no file system takes.
    assert_eq!(
        said(&store.put(&"n".repeat(256), b"", &nonce(), &stop())),
        ("refused", 74)
    );
    assert!(scratch.files().is_empty());
}

fn list(paths: &[String]) -> Result<Inputs> {
    let named: Vec<(Arc<dyn Readable>, Pattern)> = paths
        .iter()
        .map(|path| {
            let (store, pattern) = FileStore::input(path)?;
            Ok((Arc::new(store) as Arc<dyn Readable>, pattern))
        })
        .collect::<Result<_>>()?;
    Inputs::list(named, &Arc::new(Budget::new(1 << 20)), &stop())
}

#[test]
fn inputs_are_listed_in_order() {
    let scratch = Scratch::new();
    for name in [
        "b/2.csv",
        "b/1.csv",
        "b/c/0.csv",
        "b/c-0.csv",
        "a.csv",
        "b/.tmp-1-x",
        "b/.hidden",
    ] {
        scratch.write(name, b"x");
    }
    let root = scratch.path().display().to_string();
    // `-` sorts before `/`.
    let below = ["b/.hidden", "b/1.csv", "b/2.csv", "b/c-0.csv", "b/c/0.csv"];
    for (name, inputs, want) in [
        ("one", vec!["/a.csv"], Ok(vec!["a.csv"])),
        (
            "INPUT's order first",
            vec!["/b/2.csv", "/a.csv"],
            Ok(vec!["b/2.csv", "a.csv"]),
        ),
        ("below", vec!["/b/"], Ok(below.to_vec())),
        (
            "glob",
            vec!["/b/*.csv"],
            Ok(vec!["b/1.csv", "b/2.csv", "b/c-0.csv"]),
        ),
        (
            "glob of directories",
            vec!["/*/c/*.csv"],
            Ok(vec!["b/c/0.csv"]),
        ),
        ("everything below a glob", vec!["/b*/"], Ok(below.to_vec())),
        ("directory without slash", vec!["/b"], Err(Kind::Input)),
        ("absent", vec!["/x.csv"], Err(Kind::Input)),
        ("absent directory", vec!["/x/"], Err(Kind::Input)),
        ("file with a slash", vec!["/a.csv/"], Err(Kind::Input)),
        ("glob of nothing", vec!["/b/*.gz"], Err(Kind::Input)),
        (
            "f122 twice by name",
            vec!["/a.csv", "/a.csv"],
            Err(Kind::Input),
        ),
        ("f122 twice by glob", vec!["/b/", "/b/1*"], Err(Kind::Input)),
        ("two stars", vec!["/b/**.csv"], Err(Kind::Config)),
        ("dots", vec!["/b/../a.csv"], Err(Kind::Config)),
    ] {
        let paths: Vec<String> = inputs.iter().map(|path| format!("{root}{path}")).collect();
        let found = list(&paths).map_err(|error| error.kind()).map(|inputs| {
            let prefix = format!("file://{root}/");
            let uris = inputs.iter().map(|input| input.uri());
            uris.map(|uri| uri.strip_prefix(&prefix).unwrap().to_owned())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            found,
            want.map(|want| want.into_iter().map(str::to_owned).collect()),
            "{name}"
        );
    }
}

#[test]
fn f122_one_file_under_two_names() {
    let scratch = Scratch::new();
    let one = scratch.write("one", b"x");
    fs::hard_link(one, scratch.path().join("two")).unwrap();
    let error = list(&[format!("{}/", scratch.path().display())]).unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(
        error.to_string().contains("reached before as file://"),
        "{error}"
    );
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let scratch = Scratch::new();
    let real = scratch.write("real/x", b"x");
    symlink(&real, scratch.path().join("linked")).unwrap();
    symlink(scratch.path().join("real"), scratch.path().join("dir")).unwrap();
    let root = scratch.path().display().to_string();
    for (name, path, want) in [
        ("linked file", format!("{root}/linked"), Err(Kind::Input)),
        (
            "linked file by glob",
            format!("{root}/lin*"),
            Err(Kind::Input),
        ),
        (
            "linked directory below",
            format!("{root}/"),
            Err(Kind::Input),
        ),
        (
            "linked directory by glob",
            format!("{root}/d*/x"),
            Err(Kind::Input),
        ),
        // What is written out in INPUT is where the user said to look.
        ("linked directory, named", format!("{root}/dir/x"), Ok(1)),
        ("device", "/dev/null".to_owned(), Err(Kind::Input)),
    ] {
        let found = list(std::slice::from_ref(&path));
        assert_eq!(
            found.map(|found| found.len()).map_err(|error| error.kind()),
            want,
            "{name}"
        );
    }
}

#[test]
fn an_input_that_changes_while_it_is_read() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("appended", |path| {
            let mut file = File::options().append(true).open(path).unwrap();
            file.write_all(b"more").unwrap();
        }),
        ("cut", |path| {
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(3)
                .unwrap()
        }),
        ("rewritten", |path| fs::write(path, b"CONTENT").unwrap()),
        ("replaced", |path| {
            let other = path.with_extension("other");
            fs::write(&other, b"content").unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("a link in its place", |path| {
            fs::rename(path, path.with_extension("moved")).unwrap();
            symlink(path.with_extension("moved"), path).unwrap();
        }),
    ];
    for (name, change) in changes {
        for when in ["before it is opened", "while it is read"] {
            let scratch = Scratch::new();
            let path = scratch.write("in.csv", b"content");
            let inputs = list(&[path.display().to_string()]).unwrap();
            let input = inputs.get(0).unwrap();
            tick(&path);
            let read = |opened: Opened| {
                let mut bytes = Vec::new();
                let mut reader = opened.reader;
                let read = reader.read_to_end(&mut bytes);
                read.map_err(|cause| lifted(cause, "")).map(|_| bytes)
            };
            let result = if when == "while it is read" {
                let opened = input.open(&stop()).unwrap();
                change(&path);
                read(opened)
            } else {
                change(&path);
                input.open(&stop()).and_then(read)
            };
            match result {
                Err(error) => assert_eq!(error.kind(), Kind::Input, "{name} {when}: {error}"),
                Ok(_) => panic!("{name} {when}: not noticed"),
            }
        }
    }
}

/// Waits until the file system's clock has moved on from the file's time: what is written now is told by it.
fn tick(path: &Path) {
    let before = Stamp::of(&fs::metadata(path).unwrap());
    let probe = path.with_extension("probe");
    loop {
        fs::write(&probe, b"content").unwrap();
        let now = Stamp::of(&fs::metadata(&probe).unwrap());
        fs::remove_file(&probe).unwrap();
        if now.etag() != before.etag() {
            return;
        }
    }
}

#[test]
fn an_unchanged_input_reads_whole() {
    let scratch = Scratch::new();
    for bytes in [0, 1, 100_000] {
        let path = scratch.write(&format!("in-{bytes}"), &vec![b'x'; bytes]);
        let inputs = list(&[path.display().to_string()]).unwrap();
        let input = inputs.get(0).unwrap();
        let mut opened = input.open(&stop()).unwrap();
        let mut content = Vec::new();
        opened.reader.read_to_end(&mut content).unwrap();
        assert_eq!((content.len(), opened.bytes), (bytes, bytes as u64));
    }
}
