//! The house rules as a test: reads the tree once and prints `path:line: what, use what instead`. Each check is a
//! function of a tree, so that each has a test with a small tree of its own.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use windrow::config::variables;

/// Texts by their path below the package.
type Tree = BTreeMap<String, String>;
/// What is wrong, as `path:line: what, use what instead`.
type Findings = Vec<String>;

/// Names that a module may use without its row saying so.
const COMMON: [&str; 2] = ["limits", "error"];

#[test]
fn the_tree_is_tidy() {
    let tree = read();
    let checks: [fn(&Tree) -> Findings; 9] = [
        modules,
        rooms,
        openings,
        words,
        dependencies,
        documented_variables,
        missing_modules,
        named_paths,
        named_tests,
    ];
    let findings: Findings = checks.iter().flat_map(|check| check(&tree)).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// Who must read every dependency before it is let in has this many to read (README).
#[test]
fn the_worker_has_few_dependencies() {
    let crates = |edges: &str| {
        let mut tree = Command::new(env!("CARGO"));
        tree.args([
            "tree",
            "--locked",
            "--target=x86_64-unknown-linux-musl",
            "--prefix=none",
        ]);
        let tree = tree.arg(format!("--edges={edges}")).output().unwrap();
        assert!(
            tree.status.success(),
            "{}",
            String::from_utf8_lossy(&tree.stderr)
        );
        let text = String::from_utf8(tree.stdout).unwrap();
        let names = text.lines().filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        });
        names
            .filter(|(name, _)| name != "windrow")
            .collect::<BTreeSet<_>>()
            .len()
    };
    let (all, linked) = (crates("normal"), crates("normal,no-proc-macro"));
    assert!(
        all <= 92 && linked <= 82,
        "{all} crates, {linked} of them linked"
    );
}

#[test]
fn scripts_are_executable_and_shellcheck_is_content() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = vec![package.join(".ci/run")];
    for directory in ["scripts", "scripts/aws"] {
        for entry in fs::read_dir(package.join(directory)).expect(directory) {
            scripts.push(entry.expect("an entry").path());
        }
    }
    scripts.retain(|path| fs::read_to_string(path).is_ok_and(|text| text.starts_with("#!")));
    assert!(scripts.len() > 2, "{scripts:?}");
    for script in &scripts {
        let mode = fs::metadata(script).expect("a script").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{}: chmod +x", script.display());
    }
    scripts.retain(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("bash")));
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.arg("--external-sources").current_dir(package);
    match shellcheck.args(&scripts).output() {
        Ok(done) => assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stdout)
        ),
        Err(cause) => println!("not checked, no shellcheck here: {cause}"),
    }
}

/// The files that people write: sources, documents, scripts, manifests.
fn read() -> Tree {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = Tree::new();
    for name in [
        "ARCHITECTURE.md",
        "Cargo.toml",
        "Dockerfile.scratch",
        "README.md",
        "clippy.toml",
        "deny.toml",
        "task-def.json",
    ] {
        tree.insert(
            name.to_owned(),
            fs::read_to_string(package.join(name)).expect(name),
        );
    }
    for directory in [
        "src",
        "tests",
        "docs",
        "scripts",
        "jobs",
        "benches",
        "aws",
        "kubernetes",
        "testbed/src",
        "testbed/tests",
    ] {
        read_below(package, directory, &mut tree);
    }
    tree
}

fn read_below(package: &Path, directory: &str, tree: &mut Tree) {
    // Fixtures are data: what is in them is a test's business.
    let Ok(entries) = fs::read_dir(package.join(directory)) else {
        return;
    };
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() && path != "tests/golden" {
            read_below(package, &path, tree);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            tree.insert(path, text);
        }
    }
}

fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let texts = tree
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    texts.filter(|(path, _)| path.ends_with(".rs"))
}

/// The module at the top of the tree that a source of src/ belongs to.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split('/').next()?.trim_end_matches(".rs"))
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Code lines with their numbers: without comments, and up to the tests of the file.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut lines = text.lines().peekable();
    let mut number = 0;
    std::iter::from_fn(move || {
        let line = lines.next()?;
        number += 1;
        let tests =
            line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod "));
        let inline = tests && lines.peek().is_some_and(|next| next.ends_with('{'));
        (!inline).then(|| (number, line.split("//").next().unwrap_or_default()))
    })
}

/// The names behind `prefix` in a line: `crate::a::b` and each of `crate::{a, b::c}` that stands in it.
fn named<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
            continue;
        }
        let rest = &line[at + prefix.len()..];
        let listed = rest.strip_prefix('{');
        let mut depth = 0;
        let mut name_starts = true;
        for (start, character) in listed.unwrap_or(rest).char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => name_starts = true,
                _ if depth == 0 && name_starts && character.is_alphabetic() => {
                    let name = &listed.unwrap_or(rest)[start..];
                    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
                    names.push(&name[..end.unwrap_or(name.len())]);
                    name_starts = false;
                }
                _ => {}
            }
            if depth < 0 || listed.is_none() {
                break;
            }
        }
    }
    names
}

/// Rows of the table whose first column is headed so: the first cell's name, and the names in the last cell.
fn table(tree: &Tree, head: &str) -> BTreeMap<String, BTreeSet<String>> {
    let architecture = tree.get("ARCHITECTURE.md").map_or("", String::as_str);
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let head = format!("| {head} |");
    let rows = architecture
        .lines()
        .skip_while(move |line| !line.starts_with(&head));
    rows.skip(2)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            let name = quoted(cells.first()?).into_iter().next()?;
            Some((name, quoted(cells.last()?).into_iter().collect()))
        })
        .collect()
}

/// A module names only what its row in ARCHITECTURE.md lists.
fn modules(tree: &Tree) -> Findings {
    let table = table(tree, "module");
    let mut findings = Findings::new();
    for (path, text) in sources(tree).filter(|(path, _)| !is_test(path)) {
        let Some(module) = module_of(path).filter(|module| *module != "lib") else {
            continue;
        };
        let Some(row) = table.get(module) else {
            findings.push(format!(
                "{path}:1: `{module}` has no row in ARCHITECTURE.md, write one"
            ));
            continue;
        };
        for (number, line) in joined(text) {
            for name in ["crate::", "windrow::"]
                .iter()
                .flat_map(|prefix| named(&line, prefix))
            {
                if name != module && !COMMON.contains(&name) && !row.contains(name) {
                    findings.push(format!(
                        "{path}:{number}: `{module}` names `{name}`, use an argument or change the row in ARCHITECTURE.md"
                    ));
                }
            }
        }
    }
    findings
}

/// Code lines, a `use` of several lines as one.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (number, line) in code(text) {
        match all.last_mut() {
            Some((_, open)) if is_open => open.push_str(line),
            _ => all.push((number, line.to_owned())),
        }
        let whole = all.last().map_or("", |(_, line)| line.trim_start());
        let is_use = whole.starts_with("use ") || whole.starts_with("pub use ");
        is_open = is_use && !whole.trim_end().ends_with(';');
    }
    all
}

/// An outside crate is named only in its rooms.
fn rooms(tree: &Tree) -> Findings {
    let table = table(tree, "crate");
    let mut findings = Findings::new();
    for name in dependency_names(tree) {
        if !table.contains_key(&name) {
            findings.push(format!(
                "Cargo.toml:1: `{name}` has no room in ARCHITECTURE.md, give it one"
            ));
        }
    }
    for (path, text) in sources(tree).filter(|(path, _)| path.starts_with("src/") && !is_test(path))
    {
        let module = module_of(path).unwrap_or_default();
        for (number, line) in code(text) {
            for (name, rooms) in &table {
                let spoken = !named(line, &format!("{name}::")).is_empty();
                if spoken && !rooms.contains(module) {
                    let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
                    findings.push(format!(
                        "{path}:{number}: `{name}` is named outside its room, use {}",
                        rooms.join(", ")
                    ));
                }
            }
        }
    }
    findings
}

/// Names as Rust writes them.
fn dependency_names(tree: &Tree) -> Vec<String> {
    dependency_lines(tree)
        .into_iter()
        .filter_map(|(_, _, line)| Some(line.split_once('=')?.0.trim().replace('-', "_")))
        .collect()
}

/// Number, the line before, and the line of each dependency.
fn dependency_lines(tree: &Tree) -> Vec<(usize, String, String)> {
    let manifest = tree.get("Cargo.toml").map_or("", String::as_str);
    let lines: Vec<&str> = manifest.lines().collect();
    let start = lines.iter().position(|line| *line == "[dependencies]");
    let Some(start) = start else {
        return Vec::new();
    };
    let section = lines.iter().enumerate().skip(start + 1);
    section
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| line.contains('=') && !line.starts_with('#'))
        .map(|(index, line)| (index + 1, lines[index - 1].to_owned(), (*line).to_owned()))
        .collect()
}

/// Each dependency says why it is there and takes only the features it names; no others of any kind.
fn dependencies(tree: &Tree) -> Findings {
    let mut findings = Findings::new();
    for (number, before, line) in dependency_lines(tree) {
        if !before.starts_with('#') {
            findings.push(format!(
                "Cargo.toml:{number}: a dependency without its reason, use a comment above it"
            ));
        }
        if !line.contains("default-features = false") {
            findings.push(format!(
                "Cargo.toml:{number}: default features, use `default-features = false`"
            ));
        }
    }
    let manifest = tree.get("Cargo.toml").map_or("", String::as_str);
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') && line.contains("dependencies") && line != "[dependencies]" {
            findings.push(format!(
                "Cargo.toml:{}: `{line}`, use a package of its own",
                index + 1
            ));
        }
    }
    findings
}

/// Every source opens with what it is for.
fn openings(tree: &Tree) -> Findings {
    let mute = |(path, text): (&str, &str)| {
        let is_open = text.starts_with("//! ") && text.len() > "//! ".len();
        (!is_open).then(|| format!("{path}:1: it does not say what it is for, use `//!`"))
    };
    sources(tree).filter_map(mute).collect()
}

/// No unfinished business, no tabs, no trailing blanks.
fn words(tree: &Tree) -> Findings {
    // Put together here, so that this file does not find itself.
    let banned = [
        (
            ["TO", "DO"].concat(),
            "an issue or a sentence in ARCHITECTURE.md",
        ),
        (
            ["FIX", "ME"].concat(),
            "an issue or a sentence in ARCHITECTURE.md",
        ),
        (["dbg", "!("].concat(), "log::Event"),
        (["todo", "!("].concat(), "an error that refuses by name"),
        (
            ["unimplemented", "!("].concat(),
            "an error that refuses by name",
        ),
    ];
    let mut findings = Findings::new();
    for (path, text) in tree {
        for (index, line) in text.lines().enumerate() {
            let mut found = |what: &str, instead: &str| {
                findings.push(format!("{path}:{}: {what}, use {instead}", index + 1));
            };
            for (word, instead) in &banned {
                if line.contains(word.as_str()) {
                    found(&format!("`{word}`"), instead);
                }
            }
            if line.contains('\t') {
                found("a tab", "blanks");
            }
            if line.ends_with([' ', '\r']) {
                found("trailing blanks", "none");
            }
        }
    }
    findings
}

/// docs/configuration.md has the table's rows of each mode under its heading, all of them and no others.
fn documented_variables(tree: &Tree) -> Findings {
    let path = "docs/configuration.md";
    let page = tree.get(path).map_or("", String::as_str);
    let mut findings = Findings::new();
    for mode in variables::Mode::ALL {
        let heading = variables_heading(mode);
        let lines = || {
            let lines = page.lines().enumerate();
            let below = lines.skip_while(|(_, line)| *line != heading).skip(1);
            below.take_while(|(_, line)| !line.starts_with("## "))
        };
        let rows = variable_rows(mode);
        for row in &rows {
            if !lines().any(|(_, line)| line == row) {
                findings.push(format!(
                    "{path}:1: below {heading}, a variable is missing or says something else, use the row\n  {row}"
                ));
            }
        }
        for (index, line) in lines() {
            let is_row =
                line.starts_with("| `") && line.chars().nth(3).is_some_and(char::is_uppercase);
            if is_row && !rows.iter().any(|row| row == line) {
                findings.push(format!(
                    "{path}:{}: no such variable, use src/config/variables.rs\n  {line}",
                    index + 1
                ));
            }
        }
    }
    findings
}

fn variables_heading(mode: variables::Mode) -> String {
    format!("## Variables of `{}`", mode.word())
}

fn variable_rows(mode: variables::Mode) -> Vec<String> {
    let rows = variables::ALL.iter();
    rows.filter_map(|variable| variable.documented(mode))
        .collect()
}

/// Every row of the table of modules is a module of the tree.
fn missing_modules(tree: &Tree) -> Findings {
    let there: BTreeSet<&str> = tree.keys().filter_map(|path| module_of(path)).collect();
    let rows = table(tree, "module");
    let gone = rows.keys().filter(|name| !there.contains(name.as_str()));
    gone.map(|name| format!("ARCHITECTURE.md:1: `{name}` is no module, take out its row"))
        .collect()
}

/// Files and directories that a document names in backticks are there.
fn named_paths(tree: &Tree) -> Findings {
    let is_there = |path: &str| {
        let below = format!("{}/", path.trim_end_matches('/'));
        tree.contains_key(path) || tree.keys().any(|known| known.starts_with(&below))
    };
    let mut findings = Findings::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (number, line) in text.lines().enumerate() {
            let named = line.split('`').skip(1).step_by(2).filter(|word| {
                let ours = ["src/", "tests/", "docs/", "scripts/", "aws/", "kubernetes/"];
                let ours = ours.into_iter().chain(["testbed/src/", "testbed/tests/"]);
                let path = word.split(' ').next().unwrap_or_default();
                ours.into_iter()
                    .any(|directory| path.starts_with(directory))
            });
            let named = named.map(|word| word.split(' ').next().unwrap_or_default());
            for gone in named.filter(|word| !is_there(word)) {
                findings.push(format!(
                    "{path}:{}: `{gone}` is not there, name what is",
                    number + 1
                ));
            }
        }
    }
    findings
}

/// Each row of docs/decisions.md names, in its last cell, tests that there are, in Rust or Python.
fn named_tests(tree: &Tree) -> Findings {
    let path = "docs/decisions.md";
    let page = tree.get(path).map_or("", String::as_str);
    let is_there = |name: &str| {
        let forms = [format!("fn {name}("), format!("def {name}(")];
        let written = |text: &String| forms.iter().any(|form| text.contains(form));
        tree.values().any(written)
    };
    let mut findings = Findings::new();
    let rows = page
        .lines()
        .enumerate()
        .filter(|(_, l)| l.starts_with("| "));
    for (number, row) in rows.skip(1) {
        let last = row.trim_end_matches(" |").rsplit(" | ").next();
        let names: Vec<&str> = last
            .unwrap_or_default()
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        if names.is_empty() {
            findings.push(format!(
                "{path}:{}: nothing shows it, name a test",
                number + 1
            ));
        }
        for gone in names.iter().filter(|name| !is_there(name)) {
            findings.push(format!(
                "{path}:{}: `{gone}` is no test, name one",
                number + 1
            ));
        }
    }
    findings
}

mod checks {
    use super::*;

    const TABLES: &str = "\
| module | what it is | may name |\n|---|---|---|\n| `a` | x | `b`, `c` |\n| `b` | x | – |\n\n\
| crate | for | named in |\n|---|---|---|\n| `outer` | x | `a` |\n";

    fn tree(files: &[(&str, &str)]) -> Tree {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        let mut tree: Tree = files.iter().map(owned).collect();
        tree.entry("ARCHITECTURE.md".to_owned())
            .or_insert_with(|| TABLES.to_owned());
        tree
    }

    #[test]
    fn names_in_a_line() {
        for (line, want) in [
            ("use crate::a::b;", &["a"][..]),
            ("use crate::{a, b::{c, d}, e};", &["a", "b", "e"]),
            ("crate::a::x(crate::b)", &["a", "b"]),
            ("mycrate::a", &[]),
            ("no", &[]),
        ] {
            assert_eq!(named(line, "crate::"), want, "{line}");
        }
    }

    #[test]
    fn a_module_names_what_its_row_lists() {
        let good = "use crate::b::X;\nuse crate::{\n    c,\n    error::Error,\n};\n// crate::d\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n";
        assert_eq!(modules(&tree(&[("src/a/x.rs", good)])), Findings::new());
        assert_eq!(
            modules(&tree(&[("src/b/tests.rs", "use crate::a;")])),
            Findings::new()
        );
        let bad = tree(&[
            ("src/b.rs", "\nuse crate::{\n    limits,\n    a::Y,\n};\n"),
            ("src/new.rs", ""),
        ]);
        let findings = modules(&bad);
        assert_eq!(findings.len(), 2);
        assert!(
            findings[0].starts_with("src/b.rs:2: `b` names `a`"),
            "{findings:?}"
        );
        assert!(
            findings[1].starts_with("src/new.rs:1: `new` has no row"),
            "{findings:?}"
        );
    }

    #[test]
    fn a_row_needs_its_module() {
        let findings = missing_modules(&tree(&[("src/a.rs", "")]));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].contains("`b` is no module"), "{findings:?}");
    }

    #[test]
    fn an_outside_crate_keeps_to_its_room() {
        let manifest = (
            "Cargo.toml",
            "[dependencies]\n# why\nouter = { default-features = false }\nnew-one = \"1\"\n",
        );
        let findings = rooms(&tree(&[
            manifest,
            ("src/a.rs", "outer::x();"),
            ("src/b.rs", "use outer::y;"),
        ]));
        assert_eq!(findings.len(), 2);
        assert!(
            findings[0].contains("`new_one` has no room"),
            "{findings:?}"
        );
        assert!(
            findings[1].starts_with("src/b.rs:1: `outer` is named outside its room, use a"),
            "{findings:?}"
        );
    }

    #[test]
    fn dependencies_have_reasons_and_no_default_features() {
        let manifest = "[dependencies]\n# why\ngood = { default-features = false }\nbad = \"1\"\n[dev-dependencies]\n";
        let findings = dependencies(&tree(&[("Cargo.toml", manifest)]));
        assert_eq!(findings.len(), 3, "{findings:?}");
        assert!(findings[0].starts_with("Cargo.toml:4: a dependency without its reason"));
        assert!(findings[1].starts_with("Cargo.toml:4: default features"));
        assert!(findings[2].starts_with("Cargo.toml:5: `[dev-dependencies]`"));
    }

    #[test]
    fn sources_say_what_they_are_for() {
        let files = [
            ("src/a.rs", "//! What.\n"),
            ("src/b.rs", "use x;\n"),
            ("tests/c.rs", "//!\n"),
        ];
        let findings = openings(&tree(&files));
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("src/b.rs:1:") && findings[1].starts_with("tests/c.rs:1:"));
    }

    #[test]
    fn unfinished_business_tabs_and_blanks_are_found() {
        let bad = format!(
            "ok\n{}: later\n\tx\ny \n{}x)\n",
            ["TO", "DO"].concat(),
            ["dbg", "!("].concat()
        );
        let findings = words(&tree(&[("src/a.rs", &bad), ("docs/b.md", "fine\n")]));
        let lines: Vec<&str> = findings.iter().map(|line| &line[..10]).collect();
        assert_eq!(
            lines,
            ["src/a.rs:2", "src/a.rs:3", "src/a.rs:4", "src/a.rs:5"]
        );
    }

    #[test]
    fn the_page_of_variables_has_every_row_and_no_other() {
        let table = |mode, rows: &[String]| {
            let heading = variables_heading(mode);
            format!("{heading}\n\n{}\n\n## Another\n", rows.join("\n"))
        };
        let [batch, others @ ..] = variables::Mode::ALL.map(|mode| (mode, variable_rows(mode)));
        let others: String = others
            .iter()
            .map(|(mode, rows)| table(*mode, rows))
            .collect();
        let page = table(batch.0, &batch.1) + &others;
        assert_eq!(
            documented_variables(&tree(&[("docs/configuration.md", &page)])),
            Findings::new()
        );
        // One is missing, one is unknown, and what the other table has does not count.
        let rows = [&batch.1[1..], &["| `SHRAD` | x | x | x |".to_owned()]].concat();
        let page = table(batch.0, &rows) + &others;
        let findings = documented_variables(&tree(&[("docs/configuration.md", &page)]));
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains(&batch.1[0]) && findings[1].contains("SHRAD"));
    }

    #[test]
    fn decisions_name_tests_that_there_are() {
        let page =
            "| decision | shown by |\n|---|---|\n| a | `real` |\n| b | `gone` |\n| c | – |\n";
        let files = [("docs/decisions.md", page), ("tests/a.rs", "fn real() {}")];
        let findings = named_tests(&tree(&files));
        assert_eq!(
            findings,
            [
                "docs/decisions.md:4: `gone` is no test, name one",
                "docs/decisions.md:5: nothing shows it, name a test"
            ]
        );
    }

    #[test]
    fn documents_name_what_is_there() {
        let page = "`src/a.rs` and `src/a/`\n`src/b.rs`, `b.rs`\n";
        let files = [("docs/x.md", page), ("src/a.rs", ""), ("src/a/c.rs", "")];
        let findings = named_paths(&tree(&files));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("docs/x.md:2: `src/b.rs`"));
    }
}
