//! The values of an environment to a configuration. Every problem is noted, and reading goes on: what follows from a
//! broken value is left out, never guessed.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Map, Value};

use super::aws::{self, Aws};
use super::compile::{Written, compile, declared, families, range_columns, terms};
use super::feeds::{self, FeedUri};
use super::given::Given;
use super::https::{self, Https};
use super::problem::{Fault, Problem};
use super::raw::Raw;
use super::redact::REDACTED;
use super::s3::{InputAccess, OutputSse};
use super::shard;
use super::uri::{InputUri, InputUris, OutputUri, TextUri};
use super::values::{self, OnBadRecord, OutputFormat, RunId};
use super::variables::{self as known, Mode};
use super::{Compiled, Config, Input, S3, Text, Windowing};
use crate::decode::{Format, Header};
use crate::query;
use crate::query::columns::{Family, parse_path};
use crate::query::plan::{Plan, Shape};
use crate::value::column::Path;

/// Reads all that `given` holds; `None` where a problem says why.
pub(super) fn read(given: &mut Given<'_>, raw: &Raw, mode: Mode) -> Option<Config> {
    let (uris, feeds) = match mode {
        Mode::Batch => (given.parsed(&known::INPUT, InputUris::parse), None),
        Mode::Stream => (None, given.parsed(&known::INPUT, feeds::uris)),
        // Has a configuration of its own.
        Mode::Merge => (None, None),
    };
    let uses = Uses::of(given, mode, uris.as_ref());
    for variable in known::ALL {
        if let Some(applies) = uses.applies(&variable) {
            given.check_presence(&variable, applies);
        }
    }
    let aws = Aws::parse(raw);
    let metadata_uri = aws.as_ref().ok().and_then(|aws| aws.metadata_uri.clone());
    let s3 = read_s3(given, aws, uses.reads_s3 || uses.writes_s3);
    let headers = match given.is_set(&known::HEADERS) && uses.applies(&known::HEADERS) == Some(true)
    {
        false => Some(Vec::new()),
        true => given.parsed(&known::HEADERS, https::headers),
    };
    let https = uses.reads_https.then(|| {
        Some(Https {
            headers: headers.clone()?,
            ca_bundle: aws::ca_bundle(raw),
            proxies: aws::proxies(raw),
        })
    });
    let format = match mode {
        Mode::Batch => uses.format.and_then(|word| input_format(given, word)),
        Mode::Stream | Mode::Merge => None,
    };
    let columns = text(given, &known::COLUMNS, &known::COLUMNS_URI);
    let query = text(given, &known::QUERY, &known::QUERY_URI);
    let output = given.parsed(&known::OUTPUT, OutputUri::parse);
    let shard = shard::read(given, raw);
    let output_format = match shard {
        Some(Some(_)) => Some(OutputFormat::PARTIAL),
        Some(None) | None => given.word(&known::OUTPUT_FORMAT).map(OutputFormat::of),
    };
    let run_id = given.parsed(&known::RUN_ID, RunId::parse);
    let deadline = given.number(&known::MAX_RUNTIME_SECONDS);
    let windowing = windowing(given, uses);
    let on_bad_record = match given.is_set(&known::ON_BAD_RECORD) {
        false => Some(OnBadRecord::Fail),
        true => given.parsed(&known::ON_BAD_RECORD, OnBadRecord::parse),
    };
    let drain = match given.is_set(&known::DRAIN_SECONDS) {
        false => Some(DRAIN_SECONDS),
        true => given.number(&known::DRAIN_SECONDS),
    };
    let threads = given
        .number(&known::THREADS)
        .and_then(|threads| usize::try_from(threads).ok())
        .and_then(NonZeroUsize::new);
    if let (Some(output), Some(run_id)) = (&output, &run_id) {
        refuse_long_keys(given, output, run_id);
        if let Some(InputUris::Objects(uris)) = &uris {
            refuse_output_inside_input(given, uris, output, run_id);
        }
    }
    if let Some(InputUris::Objects(uris)) = &uris
        && windowing.is_some()
    {
        refuse_two_captures(given, uris);
    }
    if mode == Mode::Batch && windowing.is_some() && given.is_set(&known::SHARD) {
        given.refuse(&known::SHARD, shard_of_windows());
    }
    let families = uses.families(given);
    let compiled = compile_inline(
        given,
        families,
        windowing.as_ref(),
        columns.as_ref(),
        query.as_ref(),
    );
    if let (Some(Some(_)), Some(compiled)) = (shard, &compiled)
        && let Some(fault) = shard_of_limit(&compiled.plan)
    {
        given.refuse(&known::QUERY, fault);
    }
    let input = match mode {
        Mode::Batch => objects(uris, format, columns),
        Mode::Stream => feeds::read(given, raw, feeds, columns, headers).map(Input::Feeds),
        Mode::Merge => None,
    };
    let mut config = Config {
        input: input?,
        query: query?,
        windowing,
        shard: shard?,
        output: output?,
        s3,
        https: match https {
            None => None,
            Some(https) => Some(https?),
        },
        metadata_uri,
        output_format: output_format?,
        run_id: run_id?,
        deadline: Duration::from_secs(deadline?),
        drain: Duration::from_secs(drain?),
        on_bad_record: on_bad_record?,
        threads,
        compiled,
        resolved: Map::new(),
    };
    config.resolved = resolved(given, &config, uses);
    Some(config)
}

/// DRAIN_SECONDS where it is absent (SPEC 3): it fits the platform's own 30 s stop timeout.
pub(super) const DRAIN_SECONDS: u64 = 20;

/// Windows close in the order of all messages, which no shard knows alone.
fn shard_of_windows() -> Fault {
    let advice =
        "replay a capture in one run, or leave out EVENT_TIME: each message is a record then";
    Fault::new("it to be absent with EVENT_TIME", "a value", advice)
}

/// Where a LIMIT is filled hangs on the shards before.
pub(super) fn shard_of_limit(plan: &Plan) -> Option<Fault> {
    match &plan.shape {
        Shape::Rows(rows) if rows.order.is_empty() && rows.limit.is_some() => Some(Fault::new(
            "a LIMIT that comes with an ORDER BY, as there is a SHARD",
            "one without",
            "add ORDER BY, or cut the merged result",
        )),
        Shape::Rows(_) | Shape::Groups(_) => None,
    }
}

/// What a batch reads.
fn objects(
    uris: Option<InputUris>,
    format: Option<Format>,
    columns: Option<Text>,
) -> Option<Input> {
    Some(match uris? {
        InputUris::Range(range) => Input::Range(range),
        InputUris::Objects(uris) => Input::Objects {
            uris,
            format: format?,
            columns: columns?,
        },
    })
}

/// EVENT_TIME and what goes with it; `None` where there is none, or a problem says why.
fn windowing(given: &mut Given<'_>, uses: Uses) -> Option<Windowing> {
    if uses.applies(&known::EVENT_TIME) != Some(true) {
        return None;
    }
    let lateness = given.number(&known::LATENESS_SECONDS);
    let event_time = given.text(&known::EVENT_TIME)?;
    Some(Windowing {
        event_time: event_time.to_owned(),
        // Without one there is a problem, and nobody sees which number stands here meanwhile.
        lateness: Duration::from_secs(lateness.unwrap_or_default()),
        sequence: given.text(&known::SEQUENCE).map(str::to_owned),
    })
}

/// What of the environment decides which variables have a meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uses {
    mode: Mode,
    is_range: bool,
    /// INPUT_FORMAT; `None` where it is itself a problem, or a range has none.
    format: Option<&'static str>,
    /// Whether EVENT_TIME is set.
    windows: bool,
    /// Whether CAPTURE is `raw`; `None` where it is itself a problem.
    captures: Option<bool>,
    /// Whether SHARD is set.
    shards: bool,
    pub(super) reads_s3: bool,
    pub(super) writes_s3: bool,
    reads_https: bool,
}

impl Uses {
    pub(super) fn of(given: &mut Given<'_>, mode: Mode, uris: Option<&InputUris>) -> Self {
        let is_range = match uris {
            Some(uris) => matches!(uris, InputUris::Range(_)),
            // A broken INPUT still says which kind it was meant to be, so that no needless problem follows from it.
            None => mode == Mode::Batch && given.starts(&known::INPUT, "range:"),
        };
        let captures = match mode {
            Mode::Batch | Mode::Merge => None,
            Mode::Stream => given.word(&known::CAPTURE).map(|word| word == "raw"),
        };
        Self {
            mode,
            is_range,
            format: match is_range {
                true => None,
                false => given.word(&known::INPUT_FORMAT),
            },
            windows: given.is_set(&known::EVENT_TIME),
            captures,
            shards: mode == Mode::Batch && given.is_set(&known::SHARD),
            reads_s3: reads(given, mode, "s3://"),
            writes_s3: given.starts(&known::OUTPUT, "s3://"),
            reads_https: reads(given, mode, "https://") || reads(given, mode, "http://"),
        }
    }

    /// Whether a variable has a meaning in this run; `None` where INPUT_FORMAT or CAPTURE, which decides it, is itself a
    /// problem.
    pub(super) fn applies(self, variable: &known::Variable) -> Option<bool> {
        use known::Applies::{
            Always, Csv, Https, Json, Messages, Objects, Raw, S3, S3Input, S3Output, Shard, Whole,
            Windows,
        };
        if variable.presence(self.mode) == known::Presence::Unused {
            return Some(false);
        }
        let streams = self.mode == Mode::Stream;
        match variable.applies {
            Always => Some(true),
            Objects => Some(!self.is_range),
            S3 => Some(self.reads_s3 || self.writes_s3),
            S3Input => Some(self.reads_s3),
            S3Output => Some(self.writes_s3),
            Https => Some(self.reads_https || streams),
            Raw => self.captures,
            Shard => Some(self.shards),
            Whole => Some(!self.shards),
            Json | Messages | Windows if streams => Some(true),
            Csv | Json | Messages | Windows if self.is_range => Some(false),
            Csv => self.format.map(|format| format == "csv"),
            Json => self.format.map(|format| format != "csv"),
            Messages => self.format.map(|format| format == "capture"),
            Windows => self
                .format
                .map(|format| format == "capture" && self.windows),
        }
    }

    /// What sources in COLUMNS may be, as far as the environment says; `None` for a range, which has no COLUMNS.
    fn families(self, given: &Given<'_>) -> Option<&'static [Family]> {
        match (self.mode, self.is_range) {
            (Mode::Stream, _) => Some(&[Family::Stream]),
            (Mode::Batch, true) | (Mode::Merge, _) => None,
            (Mode::Batch, false) => {
                let header = given.text(&known::CSV_HEADER);
                Some(families(self.format, header, self.windows))
            }
        }
    }
}

/// Whether an object that is read has this scheme, as far as the texts say, broken or not. A stream reads no INPUT of
/// objects.
fn reads(given: &Given<'_>, mode: Mode, scheme: &str) -> bool {
    let in_list = |text: &str| text.starts_with('[') && text.contains(&format!("\"{scheme}"));
    let in_input =
        given.starts(&known::INPUT, scheme) || given.text(&known::INPUT).is_some_and(in_list);
    (mode != Mode::Stream && in_input)
        || given.starts(&known::QUERY_URI, scheme)
        || given.starts(&known::COLUMNS_URI, scheme)
}

/// How buckets are reached by `verify`.
pub(super) fn for_reading(given: &mut Given<'_>, raw: &Raw) -> Option<S3> {
    read_s3(given, Aws::parse(raw), true)
}

/// How buckets are reached; `None` where none is used, or a problem says why.
pub(super) fn read_s3(
    given: &mut Given<'_>,
    aws: Result<Aws, Vec<Problem>>,
    uses_s3: bool,
) -> Option<S3> {
    if !uses_s3 {
        return None;
    }
    let aws = aws.map_err(|problems| given.refuse_all(problems)).ok();
    if aws.as_ref().is_some_and(|aws| aws.region.is_none()) {
        given.refuse_all(vec![Aws::region_missing()]);
    }
    let attempts = match given.is_set(&known::S3_ATTEMPTS) {
        false => Some(1),
        true => given.number(&known::S3_ATTEMPTS),
    };
    let output_sse = match given.is_set(&known::OUTPUT_SSE) {
        false => None,
        true => Some(given.parsed(&known::OUTPUT_SSE, OutputSse::parse)?),
    };
    Some(S3 {
        aws: aws?,
        attempts: u32::try_from(attempts?).ok()?,
        input_access: match given.is_set(&known::S3_INPUT_ACCESS) {
            false => InputAccess::Signed,
            true => InputAccess::of(given.word(&known::S3_INPUT_ACCESS)?),
        },
        input_region: match given.is_set(&known::S3_INPUT_REGION) {
            false => None,
            true => Some(given.parsed(&known::S3_INPUT_REGION, aws::region)?),
        },
        output_sse,
    })
}

/// The keys of the artifacts must have room (FAULTS 53).
pub(super) fn refuse_long_keys(given: &mut Given<'_>, output: &OutputUri, run_id: &RunId) {
    if let OutputUri::S3(prefix) = output
        && let Err(fault) = prefix.check_room(run_id.as_str())
    {
        given.refuse(&known::OUTPUT, fault);
    }
}

fn input_format(given: &mut Given<'_>, word: &str) -> Option<Format> {
    if word == "csv" {
        let header = given.word(&known::CSV_HEADER);
        let delimiter = match given.is_set(&known::CSV_DELIMITER) {
            false => Some(b','),
            true => given.parsed(&known::CSV_DELIMITER, values::delimiter),
        };
        let null = given.text(&known::CSV_NULL);
        return Some(Format::Csv {
            header: match header? {
                "present" => Header::Present,
                _ => Header::Absent,
            },
            delimiter: delimiter?,
            null: null.map(|text| text.as_bytes().to_vec()),
        });
    }
    let records = records(given)?;
    Some(match word {
        "ndjson" => Format::Ndjson { records },
        "capture" => Format::Capture { records },
        _ => Format::Json { records },
    })
}

/// RECORDS, where it is set; `None` where it is a problem.
pub(super) fn records(given: &mut Given<'_>) -> Option<Option<Path>> {
    if !given.is_set(&known::RECORDS) {
        return Some(None);
    }
    let text = given.text(&known::RECORDS)?;
    let path = parse_path(text).map_err(|problem| {
        given.refuse_all(vec![Problem::in_text(known::RECORDS.name, text, problem)]);
    });
    path.ok().map(Some)
}

/// A text that comes inline or by URI. With both, which is a problem already, the inline one.
fn text(given: &mut Given<'_>, inline: &known::Variable, uri: &known::Variable) -> Option<Text> {
    let uri = given.parsed(uri, TextUri::parse).map(Text::Uri);
    let inline = given.text(inline);
    inline.map(|text| Text::Inline(text.to_owned())).or(uri)
}

fn refuse_output_inside_input(
    given: &mut Given<'_>,
    uris: &[InputUri],
    output: &OutputUri,
    run_id: &RunId,
) {
    let reaching = uris.iter().find(|uri| uri.reaches(output, run_id.as_str()));
    if let Some(pattern) = reaching {
        let fault = Fault::new(
            "a directory that INPUT does not reach",
            format!("{output}, inside {pattern}"),
            "a later run would read this one's artifacts: write them elsewhere",
        );
        given.refuse(&known::OUTPUT, fault);
    }
}

/// The parts of a capture stand in one directory, and with EVENT_TIME their messages are those of one run (SPEC 6).
fn refuse_two_captures(given: &mut Given<'_>, uris: &[InputUri]) {
    let first = uris.first().map(InputUri::directory);
    let other = uris.iter().find(|uri| Some(uri.directory()) != first);
    if let Some(other) = other {
        let fault = Fault::new(
            "the parts of one capture, which are in one directory",
            format!("{other}, which is in another than the first"),
            "windows are those of one run: replay each capture in a run of its own",
        );
        given.refuse(&known::INPUT, fault);
    }
}

/// Compiles what stands in the environment, and notes its problems. `None` as well where a text comes by URI; what can
/// be said of the other one is said all the same.
fn compile_inline(
    given: &mut Given<'_>,
    families: Option<&[Family]>,
    windowing: Option<&Windowing>,
    columns: Option<&Text>,
    query: Option<&Text>,
) -> Option<Compiled> {
    let written = |variable: known::Variable, text| Written {
        variable: variable.name,
        text,
    };
    let columns = match families {
        None => Some(range_columns()),
        Some(families) => columns.and_then(Text::inline).and_then(|text| {
            declared(families, written(known::COLUMNS, text))
                .map_err(|problems| given.refuse_all(problems))
                .ok()
        }),
    };
    let terms = windowing.and_then(|windowing| {
        terms(windowing, columns.as_deref())
            .map_err(|problems| given.refuse_all(problems))
            .ok()
            .flatten()
    });
    let query = written(known::QUERY, query.and_then(Text::inline)?);
    let compiled = match columns {
        Some(columns) => compile(columns, query, terms.as_ref()).map(Some),
        None => match query::check_syntax(query.text) {
            Ok(()) => Ok(None),
            Err(problem) => Err(vec![query.problem(problem)]),
        },
    };
    compiled
        .map_err(|problems| given.refuse_all(problems))
        .ok()
        .flatten()
}

/// Every variable that applies, in its resolved form.
fn resolved(given: &Given<'_>, config: &Config, uses: Uses) -> Map<String, Value> {
    let mut all = Map::new();
    for variable in known::ALL {
        if uses.applies(&variable) == Some(true) {
            let value = given.text(&variable).map_or(Value::Null, Value::from);
            all.insert(variable.name.to_owned(), value);
        }
    }
    let mut settle = |variable: known::Variable, value: Value| {
        all.insert(variable.name.to_owned(), value);
    };
    settle(
        known::INPUT,
        match &config.input {
            Input::Range(range) => range.to_string().into(),
            Input::Objects { uris, .. } => uris.iter().map(InputUri::to_string).collect(),
            Input::Feeds(feeds) => feeds.uris.iter().map(FeedUri::to_string).collect(),
        },
    );
    for secret in [known::HEADERS, known::SUBSCRIBE] {
        if given.is_set(&secret) {
            settle(secret, REDACTED.into());
        }
    }
    if let Some(windowing) = &config.windowing {
        settle(known::LATENESS_SECONDS, windowing.lateness.as_secs().into());
    }
    if let Input::Feeds(feeds) = &config.input {
        settle(known::IDLE_TIMEOUT_SECONDS, feeds.idle.as_secs().into());
        settle(known::ON_DISCONNECT, feeds.on_disconnect.to_string().into());
        if let Some(capture) = feeds.capture {
            settle(known::PART_SECONDS, capture.part.as_secs().into());
        }
    }
    if let Some(shard) = config.shard {
        settle(known::SHARD, shard.to_string().into());
        settle(known::SPLIT, shard.split.word().into());
    }
    if let Text::Uri(uri) = &config.query {
        settle(known::QUERY_URI, uri.to_string().into());
    }
    if let Some(Text::Uri(uri)) = config.input.columns() {
        settle(known::COLUMNS_URI, uri.to_string().into());
    }
    settle(known::OUTPUT, config.output.to_string().into());
    settle(known::MAX_RUNTIME_SECONDS, config.deadline.as_secs().into());
    settle(known::DRAIN_SECONDS, config.drain.as_secs().into());
    settle(
        known::ON_BAD_RECORD,
        config.on_bad_record.to_string().into(),
    );
    settle(known::THREADS, config.threads.map(NonZeroUsize::get).into());
    if let Some(s3) = &config.s3 {
        settle(known::S3_ATTEMPTS, s3.attempts.into());
        if uses.applies(&known::S3_INPUT_REGION) == Some(true) {
            let region = s3.input_region.as_ref().or(s3.aws.region.as_ref());
            settle(known::S3_INPUT_ACCESS, s3.input_access.word().into());
            settle(known::S3_INPUT_REGION, region.map(String::as_str).into());
        }
    }
    if let Input::Objects {
        format: Format::Csv { delimiter, .. },
        ..
    } = &config.input
    {
        settle(
            known::CSV_DELIMITER,
            char::from(*delimiter).to_string().into(),
        );
    }
    if let Some(S3 { aws, .. }) = &config.s3 {
        all.insert("AWS_REGION".to_owned(), aws.region.as_deref().into());
        all.insert(
            "AWS_ENDPOINT_URL_S3".to_owned(),
            aws.endpoint.as_deref().into(),
        );
    }
    all
}
