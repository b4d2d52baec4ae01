//! Every number that bounds a run (SPEC 11) and every capacity, in one place, with the reason beside it.

use std::time::Duration;

/// Longest record, and longest `json` document (SPEC 11).
pub const RECORD_BYTES: usize = 16 << 20;
/// Longest VARCHAR value, read or computed (SPEC 11).
pub const VARCHAR_BYTES: usize = 16 << 20;
/// Most columns in COLUMNS (SPEC 11).
pub const COLUMNS: usize = 256;
/// Longest query text, and longest COLUMNS text (SPEC 11).
pub const QUERY_BYTES: usize = 64 << 10;
/// Most feeds of a stream: each is a thread, a connection and room for a message of the longest.
pub const FEEDS: usize = 64;
/// Deepest nesting of an expression (SPEC 11).
pub const EXPRESSION_DEPTH: usize = 64;
/// Most levels of an expression's tree, which a long chain such as `a + b + c` makes without nesting: enough for a sum
/// over every column.
pub const EXPRESSION_HEIGHT: usize = EXPRESSION_DEPTH + COLUMNS;
/// Most nodes of a query's expressions, which aliases that use aliases could double at each step.
pub const EXPRESSION_NODES: usize = QUERY_BYTES;
/// Longest line of a capture: the longest message in base64, and what stands around it.
pub const CAPTURE_LINE_BYTES: usize = RECORD_BYTES.div_ceil(3) * 4 + 256;
/// Deepest nesting of JSON (SPEC 11).
pub const JSON_DEPTH: usize = 64;
/// Most objects that INPUT may list (SPEC 11).
pub const LISTED_OBJECTS: usize = 1_000_000;
/// Longest object key (SPEC 11; "Object key naming guidelines", Amazon S3 User Guide).
pub const KEY_BYTES: usize = 1_024;
/// Longest log line (SPEC 9).
pub const LOG_LINE_BYTES: usize = 16 << 10;
/// Longest error body of S3, and longest other small answer of it, that is read (SPEC 11).
pub const S3_ERROR_BYTES: usize = 64 << 10;
/// Longest page of a listing: 1,000 keys of 1,024 bytes, each byte as `%XX`, with what else S3 says of each.
pub const LISTING_PAGE_BYTES: usize = 8 << 20;
/// Longest document of the task's credentials or metadata (SPEC 11).
pub const TASK_DOCUMENT_BYTES: usize = 64 << 10;
/// Largest manifest (SPEC 11).
pub const MANIFEST_BYTES: usize = 1 << 20;
/// Largest failure.json that `verify` reads: with 206 bytes for each part of a capture, those of 168 hours at one in 8 s.
pub const FAILURE_BYTES: usize = 16 << 20;
/// Raw bytes of a rejected record that are kept (SPEC 7, rejected.ndjson).
pub const REJECTED_RAW_BYTES: usize = 64 << 10;
/// One part of a multipart artifact, and the size from which an artifact is multipart (SPEC 7, rule 10).
pub const PART_BYTES: usize = 8 << 20;
/// Most parts of one artifact (SPEC 7, rule 10).
pub const PARTS: u32 = 10_000;
/// First size of an artifact's buffer; it grows to `PART_BYTES`, so that a tiny artifact costs little.
pub const ARTIFACT_BUFFER_BYTES: usize = 16 << 10;
/// Sends of one create-only request whose outcome stays open, where the attempts allowed are fewer (SPEC 7, rule 4).
pub const CREATE_SENDS: u32 = 2;
/// Time that must remain for a result to be sent at all (SPEC 7, rule 6) …
pub const RESULT_TIME: Duration = Duration::from_secs(5);
/// … and where the drain is shorter than twice that: a stream writes its rollup in the drain, before the result. Never more
/// than half of the drain.
pub const RESULT_TIME_SHORT_DRAIN: Duration = Duration::from_secs(1);
/// Percent of the memory limit that state may take (SPEC 11).
pub const STATE_PERCENT: u64 = 60;
/// Percent of the memory limit that the fixed buffers of all threads may take (SPEC 3, THREADS).
pub const BUFFER_PERCENT: u64 = 30;
/// Longest value of an environment variable: as long as the longest text that one may hold. (An ECS task definition
/// holds 64 KiB in all; Linux hands over no variable of 128 KiB.)
pub const VARIABLE_BYTES: usize = QUERY_BYTES;

/// Bytes of one chunk of input: large enough that handing it over costs nothing, small enough that a worker's
/// columns for it stay near the cache.
pub const CHUNK_BYTES: usize = 512 << 10;
/// Numbers of one piece of a `range:`; as many as a chunk of short records holds.
pub const RANGE_PIECE_NUMBERS: i64 = 8 * BATCH_ROWS as i64;
/// Records of one column batch: their columns fit the second-level cache, and a call per batch costs nothing per row.
pub const BATCH_ROWS: usize = 2_048;
/// Stack of a thread that evaluates expressions: the deepest that is allowed takes a fraction of it, also without
/// optimisation. Only what is touched costs memory.
pub const STACK_BYTES: usize = 8 << 20;
/// Records of a worker's first batch: one, until it is known how long its output row is. Batches double from there.
pub const FIRST_BATCH_ROWS: usize = 1;
/// Longest line of a partial result: a row of the longest, or a group of as many values, in JSON, where a byte of text may
/// take six.
pub const PARTIAL_LINE_BYTES: usize = 1 << 30;
/// Most text in one row of the output: four values of the longest, so that a record read into many columns cannot take
/// many times its size.
pub const OUTPUT_ROW_BYTES: usize = 4 * VARCHAR_BYTES;
/// Most rows that ORDER BY of a query without groups may keep (SPEC 5).
pub const ORDERED_ROWS: u32 = 1_000_000;
/// Gaps in the numbers of one key that SEQUENCE remembers: more are forgotten, oldest first.
pub const LEDGER_GAPS: usize = 256;
/// Duplicates of one key in a row that a stream takes; one more is a sequence that started again (SPEC 6).
pub const LEDGER_REPEATS: u32 = 1_000;
/// How far an event's time may be past its receipt (SPEC 6): what is further is a bad record and closes no window.
pub const EVENT_AHEAD_US: i64 = 86_400_000_000;
/// Gaps that a failure.json names, the latest.
pub const FAILURE_GAPS: usize = 1_000;
/// Gaps of sequences, and jumps, that the log tells of; all are in coverage.ndjson.gz.
pub const TOLD_GAPS: u64 = 100;
/// How hard captures are compressed (zlib's levels), measured on trades of 12 Binance symbols, one core, with everything
/// else that a message goes through: level 1 takes 850,000 messages a second to 13.3 % of their size, 4 takes 440,000 to 8.6 %,
/// 6 takes 190,000 to 8.0 %. So a quarter of a core still takes 100,000.
pub const CAPTURE_LEVEL: u32 = 4;
/// Compressed bytes from which a part of a capture is cut (SPEC 11). Two more may wait for the store.
pub const CAPTURE_PART_BYTES: usize = 8 << 20;
/// Most parts of a capture: their names sort by six digits. At one each half second, of PART_SECONDS=1, that is 5.7 days.
pub const CAPTURE_PARTS: u32 = 999_999;
/// Acknowledged parts that may wait for the sequencing point, which looks [`STREAM_LOOK`] after it looked.
pub const CAPTURE_ANSWERS: usize = 4;
/// How often a stream without messages looks at its parts and at what there is to tell.
pub const STREAM_LOOK: Duration = Duration::from_millis(100);
/// Bytes that messages which are decoded together take: more than a burst of trades, less than what would stand beside a full queue.
pub const BLOCK_BYTES: usize = 4 << 20;
/// How much further event time may go in one step than the time of receipt did, before that is told of as a jump: more than
/// feeds are apart, less than what closes many windows unseen.
pub const JUMP_US: i64 = 60_000_000;
/// Text that the records of one batch may compute in one expression. Where it would be more, they are evaluated one by
/// one: nested calls of `replace` could otherwise hold a thousand times the input.
pub const BATCH_TEXT_BYTES: usize = 8 << 20;
/// Encoded rows that end a part of a chunk, so that long rows of a row-wise query cannot pile up.
pub const PART_ROWS_BYTES: usize = 2 << 20;
/// Bad records that end a part of a chunk: what is kept of so many tiny ones weighs about as much.
pub const PART_REJECTED: usize = 4_096;
/// Chunks under way for each worker: one being worked on, one waiting.
pub const CHUNKS_PER_WORKER: usize = 2;
/// Log lines that may wait for a slow reader of standard output; more are dropped and counted (SPEC 9).
/// At their longest they take 4 MiB.
pub const LOG_LINES: usize = 256;
/// How long the last line of the log may wait for a reader, where the deadline and the drain leave the time.
pub const LOG_FLUSH: Duration = Duration::from_secs(2);
/// What is kept of the drain for writing the last line and leaving; less than the shortest drain.
pub const LEAVING: Duration = Duration::from_millis(250);
/// Signals, panics and the outcome on their way to the supervisor, which only waits for them.
pub const SUPERVISOR_EVENTS: usize = 8;
/// How often the supervisor looks whether a thread has stopped the run: the drain counts from the stop, and this is
/// what a second thread that never comes back may cost at most.
pub const SUPERVISOR_LOOK: Duration = Duration::from_millis(250);
/// Fixed buffers of one worker: its chunks, and the columns of a batch. Decides how many workers fit the memory
/// where THREADS is absent.
pub const WORKER_BYTES: usize = (CHUNK_BYTES + PART_ROWS_BYTES) * (CHUNKS_PER_WORKER + 1);
/// Bytes of an object that one request fetches ahead: enough that its latency is small beside its transfer, few enough
/// that several fit a small container.
pub const SEGMENT_BYTES: usize = 4 << 20;
/// Smallest NDJSON object that SPLIT `bytes` cuts: below it, a request more costs more than an even share gives.
pub const CUT_OBJECT_BYTES: u64 = 1 << 20;
/// Bytes that are looked through at first for the line end at which an object is cut.
pub const LINE_LOOK_BYTES: u64 = 16 << 10;
/// Threads that fetch ahead at most. S3 gives one connection less than 100 MB/s, and small objects wait a round trip each.
/// With the segment being read they hold 77 MiB.
pub const FETCHERS: usize = 16;
/// What one of them holds: its segment, and the buffers of its connection.
pub const FETCHER_BYTES: usize = SEGMENT_BYTES + (512 << 10);
/// Bytes of messages that may wait for the sequencing point, over all feeds: what comes in a burst while it is busy. One
/// batch more may be in it, so that the longest message passes an empty queue.
pub const FEED_QUEUE_BYTES: usize = 16 << 20;
/// How long a feed waits for room in the queue. Its pings stay unanswered meanwhile, and servers allow a minute at most.
pub const FEED_WAIT: Duration = Duration::from_secs(10);
/// Bytes of a feed that one call takes from its connection: many messages, few calls.
pub const FEED_READ_BYTES: usize = 64 << 10;
/// How long a feed lets messages gather after a call that took fewer than [`FEED_GATHER_BYTES`]. A busy feed wakes the run once
/// a millisecond and not once a message, which costs more than the message; one message after a silence waits for nothing.
pub const FEED_GATHER: Duration = Duration::from_millis(1);
/// Less than what one read of TLS gives where more is there: then the feed goes on at once.
pub const FEED_GATHER_BYTES: usize = 1 << 10;
/// Bytes for a feed that may wait to be sent: all of SUBSCRIBE, a heartbeat, and thousands of answers to pings.
pub const FEED_WRITE_BYTES: usize = 4 * VARIABLE_BYTES;
/// How long a feed may take nothing of what is sent to it (SPEC 10: a byte either way).
pub const FEED_SILENCE: Duration = Duration::from_secs(30);
/// The first wait before a feed is connected again, which doubles …
pub const RECONNECT_FIRST: Duration = Duration::from_secs(1);
/// … up to this one (SPEC 3, ON_DISCONNECT).
pub const RECONNECT_LONGEST: Duration = Duration::from_secs(30);
/// What the allocator adds to an allocation, as far as state is counted.
pub const ALLOCATION_BYTES: usize = 16;

const _: () = assert!(FETCHERS * FETCHER_BYTES + SEGMENT_BYTES <= 77 << 20);
const _: () = assert!(ARTIFACT_BUFFER_BYTES < PART_BYTES && MANIFEST_BYTES < PART_BYTES);
const _: () = assert!(CHUNK_BYTES < RECORD_BYTES && RECORD_BYTES < u32::MAX as usize);
const _: () = assert!(REJECTED_RAW_BYTES < RECORD_BYTES && BATCH_ROWS < u16::MAX as usize);
const _: () = assert!(LISTING_PAGE_BYTES > 1_000 * (3 * KEY_BYTES + 4_096));
const _: () =
    assert!(PARTIAL_LINE_BYTES > 6 * OUTPUT_ROW_BYTES && PARTIAL_LINE_BYTES < u32::MAX as usize);
const _: () = assert!(LEAVING.as_millis() < LOG_FLUSH.as_millis() && LEAVING.as_millis() < 1_000);
