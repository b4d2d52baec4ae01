//! The artifacts of a run: the rollup, and rejected.ndjson once there is something in it.

use serde::Serialize;

use crate::artifact::Artifact;
use crate::command::faults::lift_rollup;
use crate::config::values::OutputFormat;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::gzip::Compression;
use crate::manifest::{COVERAGE, CoverageLine, INPUTS, InputLine, PARTIAL, REJECTED, Receipt};
use crate::query::plan::Output;
use crate::rollup::State;
use crate::stop::Stop;
use crate::store::destination::Destination;
use crate::value::vector::Batch;

/// Writes rows with these columns.
pub(super) fn encoder(format: OutputFormat, outputs: &[Output]) -> Encoder {
    let columns = outputs.iter();
    let columns = columns.map(|output| (output.name.clone(), output.ty));
    Encoder::new(format.rows, columns.collect())
}

/// Where results go.
pub(super) struct Outputs {
    destination: Destination,
    encoder: Encoder,
    rollup: Artifact,
    rejected: Option<Artifact>,
    coverage: Option<Artifact>,
    buffer: Vec<u8>,
}

impl Outputs {
    /// Nothing is stored before there is a part of it, or the end.
    pub(super) fn create(
        format: OutputFormat,
        outputs: &[Output],
        destination: &Destination,
    ) -> Result<Self> {
        let name = format!("rollup.{}", format.extension());
        Self::named(&name, format, outputs, destination)
    }

    /// The same for a shard, whose partial result is in the place of the rollup.
    pub(super) fn of_shard(outputs: &[Output], destination: &Destination) -> Result<Self> {
        Self::named(PARTIAL, OutputFormat::PARTIAL, outputs, destination)
    }

    fn named(
        name: &str,
        format: OutputFormat,
        outputs: &[Output],
        destination: &Destination,
    ) -> Result<Self> {
        let mut rollup = Artifact::create(destination, name, format.compression);
        let (encoder, mut buffer) = (encoder(format, outputs), Vec::new());
        encoder.header(&mut buffer);
        rollup.write(&buffer, 0)?;
        Ok(Self {
            destination: destination.clone(),
            encoder,
            rollup,
            rejected: None,
            coverage: None,
            buffer,
        })
    }

    /// Rows of a row-wise query, encoded.
    pub(super) fn rows(&mut self, encoded: &[u8], rows: u64) -> Result<()> {
        if encoded.is_empty() {
            Ok(())
        } else {
            self.rollup.write(encoded, rows)
        }
    }

    /// A line of rejected.ndjson.
    pub(super) fn rejected(&mut self, line: &[u8]) -> Result<()> {
        let create = || Artifact::create(&self.destination, REJECTED, Compression::None);
        self.rejected.get_or_insert_with(create).write(line, 1)
    }

    /// There is a coverage.ndjson.gz, with lines or without.
    pub(super) fn cover(&mut self) {
        self.coverage = Some(Artifact::create(
            &self.destination,
            COVERAGE,
            Compression::Gzip,
        ));
    }

    /// A line of it.
    pub(super) fn coverage(&mut self, line: &CoverageLine) -> Result<()> {
        let Some(coverage) = &mut self.coverage else {
            return Err(Error::defect(COVERAGE, "no windows"));
        };
        coverage.write(&json_line(COVERAGE, line)?, 1)
    }

    /// All rows that a grouped query comes to.
    ///
    /// # Errors
    /// 65 where an item fails or state is full; the interruption; those of the artifact.
    pub(super) fn results(&mut self, state: State<'_>, query: &str, stop: &Stop) -> Result<()> {
        let lift = |failure| lift_rollup(query, failure);
        let mut results = state.finish().map_err(lift)?;
        while let Some(batch) = results
            .next_batch()
            .map_err(|problem| lift(problem.into()))?
        {
            stop.check()?;
            self.groups(&batch)?;
        }
        Ok(())
    }

    /// Rows of a grouped query.
    pub(super) fn groups(&mut self, batch: &Batch) -> Result<()> {
        self.buffer.clear();
        self.encoder
            .rows(&batch.columns, batch.rows, &mut self.buffer);
        self.write(batch.rows)
    }

    /// Rows of a table of a partial result, which has columns of its own.
    pub(super) fn table(&mut self, encoder: &Encoder, batch: &Batch) -> Result<()> {
        self.buffer.clear();
        encoder.rows(&batch.columns, batch.rows, &mut self.buffer);
        self.write(batch.rows)
    }

    fn write(&mut self, rows: usize) -> Result<()> {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.rollup.write(&self.buffer, rows)
    }

    /// Completes the artifacts and writes inputs.ndjson.gz; gives the receipts in that order.
    pub(super) fn finish(self, inputs: impl Iterator<Item = InputLine>) -> Result<Vec<Receipt>> {
        self.finish_by(|take| {
            let mut inputs = inputs;
            inputs.try_for_each(|input| take(&input))
        })
    }

    /// The same with the inputs that `show` shows to what it is given.
    pub(super) fn finish_by(
        self,
        show: impl FnOnce(&mut dyn FnMut(&InputLine) -> Result<()>) -> Result<()>,
    ) -> Result<Vec<Receipt>> {
        let mut receipts = vec![self.rollup.finish()?];
        if let Some(rejected) = self.rejected {
            receipts.push(rejected.finish()?);
        }
        if let Some(coverage) = self.coverage {
            receipts.push(coverage.finish()?);
        }
        let mut listed = Artifact::create(&self.destination, INPUTS, Compression::Gzip);
        show(&mut |input| listed.write(&json_line(INPUTS, input)?, 1))?;
        receipts.push(listed.finish()?);
        Ok(receipts)
    }
}

/// A line of `artifact`.
fn json_line(artifact: &'static str, line: &impl Serialize) -> Result<Vec<u8>> {
    let mut line =
        serde_json::to_vec(line).map_err(|cause| Error::defect(artifact, cause.to_string()))?;
    line.push(b'\n');
    Ok(line)
}
