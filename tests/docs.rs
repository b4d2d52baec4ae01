//! Runs what the documents show, so that they stay true: each page in a directory of its own, block by block.
//!
//! A fenced block whose info string has a second word is a file of that name. A `sql` block is a query over `input.csv`
//! as `columns.txt`; a `sh` block is run with `windrow` on PATH. The `text` block after one of them is what comes out:
//! the whole rollup, the end of the output, or `exit CODE: a part of the error`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test helper that cannot go on says where"
)]

mod worker;

use std::fs;
use std::path::Path;
use std::process::Command;

use windrow::config::variables;
use windrow::error::Kind;
use worker::{WINDROW, directory, file_uri, package, run};

#[test]
fn readme() {
    page("README.md");
}

#[test]
fn sql() {
    page("docs/sql.md");
}

#[test]
fn binance() {
    page("docs/binance.md");
}

#[test]
fn streaming() {
    page("docs/streaming.md");
}

/// The recipe for a live feed, as far as it goes without one: `check` is content with it.
#[test]
fn the_recipe_for_a_feed_is_a_whole_configuration() {
    let text = fs::read_to_string(package("docs/streaming.md")).expect("the page");
    let blocks = blocks(&text);
    let recipe = blocks.iter().find(|block| block.info == "sh live.sh");
    let recipe = recipe.expect("the recipe");
    let script = format!(
        "windrow() {{ if [ \"$1\" = stream ]; then command windrow check stream; fi; }}\n{}",
        recipe.text
    );
    let label = format!("docs/streaming.md:{}", recipe.line);
    shell(&script, None, &package("."), &label);
}

/// Every event, and every field that one is given by name.
#[test]
fn the_log_is_documented() {
    let page = fs::read_to_string(package("docs/log.md")).expect("the page");
    let mut sources = vec![package("src")];
    let mut named = 0;
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).expect("a directory");
            sources.extend(inside.map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let name = path.to_string_lossy().into_owned();
        if name.ends_with("tests.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source");
        for mark in ["Event::info(\"", ".with(\""] {
            for (_, rest) in source
                .match_indices(mark)
                .map(|(at, _)| source.split_at(at + mark.len()))
            {
                let word = rest.split('"').next().unwrap_or_default();
                assert!(
                    page.contains(&format!("`{word}`")),
                    "docs/log.md lacks {word}, of {name}"
                );
                named += 1;
            }
        }
    }
    assert!(named > 40, "{named} names");
}

#[test]
fn merge() {
    page("docs/merge.md");
}

#[test]
fn readme_has_every_exit_code() {
    let text = fs::read_to_string(package("README.md")).expect("the page");
    let listed: Vec<u8> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok())
        .collect();
    let mut codes = vec![0];
    codes.extend(Kind::ALL.map(Kind::exit_code));
    assert_eq!(listed, codes);
}

#[test]
fn links_lead_somewhere() {
    for name in pages() {
        let text = fs::read_to_string(package(&name)).expect("the page");
        let folder = package(&name);
        let folder = folder.parent().expect("a directory");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
        {
            let file = target.0.split('#').next().unwrap_or_default();
            let target = target.0;
            assert!(
                target.starts_with("https://") || folder.join(file).exists(),
                "{name}: {target}"
            );
        }
    }
}

/// What docs/s3.md shows is copied into IAM and S3, which take only JSON.
#[test]
fn policies_are_json() {
    let text = fs::read_to_string(package("docs/s3.md")).expect("the page");
    let blocks = blocks(&text);
    for block in &blocks {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
        assert!(
            block.info.starts_with("json ") && parsed.is_ok(),
            "docs/s3.md:{}",
            block.line
        );
    }
    assert!(!blocks.is_empty());
}

/// The README's recipe for a bucket, as far as it goes without one: `check` is content with it.
#[test]
fn the_recipe_for_a_bucket_is_a_whole_configuration() {
    let text = fs::read_to_string(package("README.md")).expect("the page");
    let blocks = blocks(&text);
    let recipe = blocks.iter().find(|block| block.info == "sh on-s3.sh");
    let recipe = recipe.expect("the recipe");
    let script = format!(
        "windrow() {{ if [ \"$1\" = batch ]; then command windrow check batch; fi; }}\n{}",
        recipe.text
    );
    let place = directory("docs-recipe-for-a-bucket");
    shell(&script, None, &place, &format!("README.md:{}", recipe.line));
}

/// The first run on ECS, as far as it goes without an account: each call as a dry run.
#[test]
fn the_recipe_for_ecs_is_made_of_calls_that_there_are() {
    let text = fs::read_to_string(package("docs/fargate.md")).expect("the page");
    let blocks = blocks(&text);
    let recipe = blocks.iter().find(|block| block.info == "sh");
    let recipe = recipe.expect("the recipe");
    let calls = recipe
        .text
        .lines()
        .filter(|line| line.starts_with("scripts/aws/"));
    let calls: String = calls
        .map(|line| {
            line.replace(" --dry-run", "")
                .replacen(' ', " --dry-run ", 1)
                + "\n"
        })
        .collect();
    assert!(calls.contains("scripts/aws/deploy ") && calls.contains("scripts/aws/run "));
    let script = format!("export SETTINGS=aws/settings.example NAME=windrow-docs\n{calls}");
    let label = format!("docs/fargate.md:{}", recipe.line);
    shell(&script, None, &package("."), &label);
}

/// A variable that a page names in full is one that windrow has.
#[test]
fn variables_in_full_are_windrows() {
    let known = |name: &str| variables::ALL.iter().any(|variable| variable.name == name);
    for page in pages() {
        let text = fs::read_to_string(package(&page)).expect("the page");
        for rest in text.split("WINDROW_").skip(1) {
            let of_names = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            let name = rest.split(|c| !of_names(c)).next().unwrap_or_default();
            assert!(name.is_empty() || known(name), "{page}: WINDROW_{name}");
        }
    }
}

/// README.md and all of docs/.
fn pages() -> Vec<String> {
    let names = fs::read_dir(package("docs")).expect("docs/");
    names
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| format!("docs/{}", name.to_string_lossy()))
        .chain(["README.md".to_owned()])
        .collect()
}

/// A fenced block: its info string, its text, and the line it starts on.
struct Block<'a> {
    info: &'a str,
    text: String,
    line: usize,
}

fn page(name: &str) {
    let text = fs::read_to_string(package(name)).expect("the page");
    let blocks = blocks(&text);
    let place = directory(&format!("docs-{}", name.replace('/', "-")));
    for (number, block) in blocks.iter().enumerate() {
        let want = blocks
            .get(number + 1)
            .filter(|next| next.info == "text")
            .map(|next| next.text.as_str());
        let label = format!("{name}:{}", block.line);
        match block.info.split_once(' ') {
            Some((_, file)) => {
                let path = place.join(file);
                let above = path.parent().expect("a directory");
                fs::create_dir_all(above).expect("its directory");
                fs::write(path, &block.text).expect("a file");
            }
            None if block.info == "sql" => query(&block.text, want, &place, number, &label),
            None if block.info == "sh" => shell(&block.text, want, &place, &label),
            None => assert_eq!(block.info, "text", "{label}: a block that no test reads"),
        }
    }
    assert!(blocks.len() > 1, "{name} shows something");
}

/// The fenced blocks of a page, in order.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let text = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        blocks.push(Block {
            info,
            text,
            line: number + 1,
        });
    }
    blocks
}

fn query(query: &str, want: Option<&str>, place: &Path, number: usize, label: &str) {
    let mut program = Command::new(WINDROW);
    program
        .arg("batch")
        .env_clear()
        .env("WINDROW_INPUT", file_uri(&place.join("input.csv")))
        .env("WINDROW_INPUT_FORMAT", "csv")
        .env("WINDROW_CSV_HEADER", "present")
        .env("WINDROW_COLUMNS_URI", file_uri(&place.join("columns.txt")))
        .env("WINDROW_QUERY", query)
        .env("WINDROW_OUTPUT_FORMAT", "csv")
        .env("WINDROW_MAX_RUNTIME_SECONDS", "60");
    let outcome = run(&mut program, &place.join("out"), &format!("run-{number}"));
    let want = want.unwrap_or_else(|| panic!("{label}: a query without its result"));
    if let Some((code, part)) = want
        .strip_prefix("exit ")
        .and_then(|end| end.split_once(": "))
    {
        assert_eq!(
            outcome.code.to_string(),
            code,
            "{label}: {}",
            outcome.printed
        );
        assert!(
            outcome.printed.contains(part.trim_end()),
            "{label}: {}",
            outcome.printed
        );
    } else {
        assert_eq!(outcome.code, 0, "{label}: {}", outcome.printed);
        assert_eq!(outcome.rollup.as_deref(), Some(want), "{label}");
    }
}

fn shell(script: &str, want: Option<&str>, place: &Path, label: &str) {
    let programs = Path::new(WINDROW).parent().expect("a directory");
    let done = Command::new("/bin/sh")
        .args(["-euc", script])
        .current_dir(place)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .output()
        .expect("a shell");
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{label}: {printed}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    if let Some(want) = want {
        assert!(printed.ends_with(want), "{label}: {printed}");
    }
}
