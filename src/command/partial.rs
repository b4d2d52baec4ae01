//! The text of partial results (docs/merge.md): tables as NDJSON, each line an object of its table's columns; and of the
//! rows of a row-wise query, as any NDJSON output has them. Read back by the decoder that reads all NDJSON.

use std::sync::Arc;

use crate::decode::{Decoder, Format, Framer};
use crate::encode::{self, Encoder};
use crate::limits::PARTIAL_LINE_BYTES;
use crate::rollup::Layout;
use crate::value::Type;
use crate::value::column::{Column, Form, Path, Source, Step};

const FORMAT: Format = Format::Ndjson { records: None };

/// What writes each table of a layout.
pub(super) fn encoders(layout: &Layout) -> Vec<Encoder> {
    let tables = layout.tables.iter();
    let encoder = |table: &Vec<usize>| {
        let fields = table.iter().filter_map(|&place| layout.fields.get(place));
        Encoder::new(encode::Format::Ndjson, fields.cloned().collect())
    };
    tables.map(encoder).collect()
}

/// What reads lines of these columns, of whatever table.
pub(super) struct Reader {
    columns: Vec<Column>,
}

impl Reader {
    /// For columns of these names and types.
    pub(super) fn new<'a>(fields: impl IntoIterator<Item = &'a (String, Type)>) -> Self {
        let column = |(name, ty): &(String, Type)| Column {
            name: name.clone(),
            form: Form::Plain(*ty),
            source: Source::Path(Path(vec![Step::Key(name.clone())])),
            not_null: false,
        };
        Self {
            columns: fields.into_iter().map(column).collect(),
        }
    }

    /// Cuts one partial result into chunks of lines.
    pub(super) fn framer(&self, uri: &str) -> Framer {
        Framer::new(&FORMAT, &self.columns, 0, Arc::from(uri)).with_record_bytes(PARTIAL_LINE_BYTES)
    }

    /// Reads the chunks.
    pub(super) fn decoder(&self) -> Decoder {
        Decoder::new(&FORMAT, self.columns.clone())
    }
}
