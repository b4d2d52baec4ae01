//! The text of one line: a flat JSON object under 16 KB, or what a terminal shows. Pure.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Event, Level};
use crate::limits;

/// The members of a line, in their order.
#[derive(Serialize)]
struct Members<'a> {
    timestamp: &'a str,
    level: Level,
    event: &'static str,
    message: &'a str,
    service: &'static str,
    run_id: Option<&'a str>,
    task_arn: Option<&'a str>,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// Whose line it is: what every line of a run carries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whose<'a> {
    /// RUN_ID, once it is known.
    pub(super) run_id: Option<&'a str>,
    /// The ECS task, where there is one.
    pub(super) task_arn: Option<&'a str>,
}

/// One line under [`limits::LOG_LINE_BYTES`]: of an event that is longer, every text is cut until it fits.
pub(super) fn json_line(timestamp: &str, whose: Whose<'_>, event: &Event) -> String {
    let line = |message: &str, fields: &Map<String, Value>| {
        let members = Members {
            timestamp,
            level: event.level,
            event: event.name,
            message,
            service: "windrow",
            run_id: whose.run_id,
            task_arn: whose.task_arn,
            fields,
        };
        // Texts and numbers in a map with text keys always have a JSON form.
        serde_json::to_string(&members).unwrap_or_default() + "\n"
    };
    let mut whole = line(&event.message, &event.fields);
    let mut characters = limits::LOG_LINE_BYTES / 2;
    while whole.len() >= limits::LOG_LINE_BYTES && characters > 0 {
        let mut fields = event.fields.clone();
        for value in fields.values_mut() {
            if let Value::String(text) = value {
                *text = cut(text, characters / 4);
            }
        }
        whole = line(&cut(&event.message, characters), &fields);
        characters /= 2;
    }
    whole
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

/// Line ends stay, other control characters are escaped: a message never moves the cursor.
pub(super) fn for_terminal(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() && character != '\n' {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}
