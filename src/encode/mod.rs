//! Result batches to bytes: CSV and NDJSON (SPEC 5 "Output text", SQL.md "Output text"). Pure; compresses, counts and
//! stores nothing.

mod csv;
mod ndjson;

#[cfg(test)]
mod tests;

use std::borrow::Borrow;

use crate::value::Type;
use crate::value::vector::Vector;

/// How an artifact is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// Writes rows of one result.
#[derive(Clone, Debug)]
pub struct Encoder {
    format: Format,
    columns: Vec<Column>,
}

/// A column of the result.
#[derive(Clone, Debug)]
struct Column {
    /// What stands before its value: a comma, and for NDJSON its name, ready to be written.
    before: Vec<u8>,
    name: String,
    ty: Type,
}

impl Encoder {
    /// For results of these columns, in order. Names are written as they are, escaped as the format wants.
    #[must_use]
    pub fn new(format: Format, columns: Vec<(String, Type)>) -> Self {
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(index, (name, ty))| {
                let before = match format {
                    Format::Csv if index == 0 => Vec::new(),
                    Format::Csv => vec![b','],
                    Format::Ndjson => ndjson::key(index, &name),
                };
                Column { before, name, ty }
            })
            .collect();
        Self { format, columns }
    }

    /// Appends what comes before the first row: the header of a CSV.
    pub fn header(&self, out: &mut Vec<u8>) {
        match self.format {
            Format::Csv => csv::header(&self.columns, out),
            Format::Ndjson => {}
        }
    }

    /// Appends the first `rows` rows of `vectors`, one vector a column; allocates nothing but `out`'s growth.
    pub fn rows(&self, vectors: &[impl Borrow<Vector>], rows: usize, out: &mut Vec<u8>) {
        for row in 0..rows {
            for (column, vector) in self.columns.iter().zip(vectors) {
                let vector = vector.borrow();
                out.extend_from_slice(&column.before);
                match self.format {
                    Format::Csv => csv::field(vector, row, column.ty, out),
                    Format::Ndjson => ndjson::value(vector, row, column.ty, out),
                }
            }
            match self.format {
                Format::Csv => out.push(b'\n'),
                Format::Ndjson => out.extend_from_slice(b"}\n"),
            }
        }
    }
}
