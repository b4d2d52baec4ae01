//! Partial results: what a shard writes of a state, read back, is that state; and one state has one form.

use super::*;
use crate::query::plan::Shape;
use crate::rollup::partial::{Layout, Loader, Refused};
use crate::rollup::{Output, State};

/// The tables of a state, each batch with all columns of the layout, as it is read back.
fn tables(state: State<'_>, layout: &Layout) -> Vec<Batch> {
    let mut partial = state.into_partial(&unlimited()).unwrap();
    let mut all = Vec::new();
    while let Some((table, batch)) = partial.next_batch().unwrap() {
        let written = &layout.tables[table];
        assert_eq!(batch.columns.len(), written.len());
        let column = |place: usize, ty: Type| {
            let at = written.iter().position(|&known| known == place);
            at.map_or_else(
                || {
                    let mut nulls = Vector::with_capacity(ty, 0);
                    (0..batch.rows).for_each(|_| nulls.push_null());
                    nulls
                },
                |at| batch.columns[at].clone(),
            )
        };
        let fields = layout.fields.iter().enumerate();
        all.push(Batch {
            rows: batch.rows,
            columns: fields.map(|(place, (_, ty))| column(place, *ty)).collect(),
            ..Batch::default()
        });
    }
    all
}

fn are_equal(one: &[Batch], other: &[Batch]) -> bool {
    let columns = |batches: &[Batch]| -> Vec<Vector> {
        let columns = batches.iter().flat_map(|batch| batch.columns.clone());
        columns.collect()
    };
    columns(one) == columns(other)
}

fn state_of<'p>(shape: &'p Shape, rows: &[(u64, Vec<Value>)], chunk: usize) -> State<'p> {
    let mut state = State::new(shape, &unlimited()).unwrap();
    for chunk in rows.chunks(chunk).rev() {
        state.add(&batch(&TYPES, chunk)).unwrap();
    }
    state
}

fn load(state: &mut State<'_>, layout: &Layout, tables: &[Batch]) -> Result<(), Refused> {
    let mut loader = Loader::new(state, layout, &unlimited());
    tables.iter().try_for_each(|batch| loader.take(batch))
}

fn rows_of(state: State<'_>) -> String {
    let mut output: Output<'_> = state.finish().unwrap();
    let mut text = String::new();
    while let Some(batch) = output.next_batch().unwrap() {
        for row in 0..batch.rows {
            let values = batch.columns.iter().map(|column| column.value(row));
            text.push_str(&format!("{:?}\n", values.collect::<Vec<_>>()));
        }
    }
    text
}

fn shapes() -> Vec<(&'static str, Shape)> {
    let keys = || vec![col(0, VARCHAR), col(1, DOUBLE)];
    let order = |at: usize, direction| OrderKey {
        expr: col(at, TYPES[at]),
        direction,
        nulls: Nulls::Last,
    };
    let first = |limit| {
        Shape::Rows(plan::Rows {
            outputs: vec![col(6, VARCHAR), col(4, WIDE)],
            order: vec![
                order(3, Direction::Descending),
                order(5, Direction::Ascending),
            ],
            limit: Some(limit),
        })
    };
    // A third of them each: debug builds are slow.
    let some_of = |from| {
        every_aggregate()
            .into_iter()
            .skip(from)
            .step_by(2)
            .collect()
    };
    vec![
        ("no key", Shape::Groups(plan(vec![], some_of(0)))),
        ("two keys", Shape::Groups(plan(keys(), some_of(1)))),
        ("keys alone", Shape::Groups(plan(keys(), vec![]))),
        ("nothing at all", Shape::Groups(plan(vec![], vec![]))),
        ("first 0", first(0)),
        ("first 9", first(9)),
        ("more than there are", first(10_000)),
    ]
}

#[test]
fn parts_that_were_written_and_read_give_the_whole() {
    let mut numbers = Numbers(11);
    for (name, shape) in shapes() {
        for count in [0_u64, 1, 2, 60, 700, 5_000] {
            if count == 5_000
                && matches!(&shape, Shape::Groups(groups) if groups.aggregates.len() > 9)
            {
                continue;
            }
            let rows: Vec<_> = (0..count)
                .map(|at| (at * 10, random_row(&mut numbers)))
                .collect();
            let want = rows_of(state_of(&shape, &rows, 1_000));
            for parts in [1, 4] {
                let mut split = vec![Vec::new(); parts];
                for row in &rows {
                    let at = usize::try_from(numbers.below(parts as u64)).unwrap();
                    split[at].push(row.clone());
                }
                let mut merged = State::new(&shape, &unlimited()).unwrap();
                let layout = merged.layout(&TYPES);
                for rows in &split {
                    let one = tables(state_of(&shape, rows, 37), &layout);
                    // In whatever order the rows came.
                    let other = tables(state_of(&shape, rows, 5), &layout);
                    assert!(are_equal(&one, &other), "{name}, {count} rows");
                    load(&mut merged, &layout, &one).unwrap();
                }
                // The merged state has the form of the whole one.
                if parts == 4 {
                    let whole = tables(state_of(&shape, &rows, 99), &layout);
                    let mut again = State::new(&shape, &unlimited()).unwrap();
                    load(&mut again, &layout, &whole).unwrap();
                    assert_eq!(rows_of(again), want, "{name}, {count} rows, again");
                    let merged = tables(merged, &layout);
                    assert!(are_equal(&merged, &whole), "{name}, {count} rows");
                    continue;
                }
                assert_eq!(rows_of(merged), want, "{name}, {count} rows, {parts} parts");
            }
        }
    }
}

#[test]
fn what_no_shard_writes_is_refused() {
    let mut numbers = Numbers(13);
    let rows: Vec<_> = (0..60)
        .map(|at| (at * 10, random_row(&mut numbers)))
        .collect();
    let keys = vec![col(0, VARCHAR)];
    let some = every_aggregate().into_iter().step_by(5).collect();
    let shape = Shape::Groups(plan(keys, some));
    let layout = State::new(&shape, &unlimited()).unwrap().layout(&TYPES);
    let tables = tables(state_of(&shape, &rows, 60), &layout);
    let refused = |tables: &[Batch]| {
        let mut state = State::new(&shape, &unlimited()).unwrap();
        matches!(
            load(&mut state, &layout, tables),
            Err(Refused::Malformed(_))
        )
    };
    assert!(!refused(&tables));
    assert!(refused(&tables[1..]), "values of groups that are not there");
    assert!(refused(&[tables[0].clone(), tables[0].clone()]), "twice");
    for (place, (name, ty)) in layout.fields.iter().enumerate() {
        let mut broken = tables.clone();
        let table = broken
            .iter_mut()
            .find(|batch| batch.columns[place].valid.flags().is_none());
        // Values and positions may be NULL; numbers of groups and rows, and sums, are not.
        let is_number =
            *name == "group" || name.ends_with("_rows") || *ty == VARCHAR && name.contains('_');
        let may_be_null = !is_number || name.ends_with("_key");
        if let (Some(table), false) = (table, may_be_null) {
            let mut nulls = Vector::with_capacity(*ty, 0);
            (0..table.rows).for_each(|_| nulls.push_null());
            table.columns[place] = nulls;
            assert!(refused(&broken), "{name} is NULL");
        }
    }
    let sums = layout.fields.iter().enumerate();
    let mut sums = sums.filter(|(_, (name, _))| name.ends_with("_sum"));
    assert!(sums.any(|(place, _)| {
        let mut broken = tables.clone();
        let mut texts = Vector::with_capacity(VARCHAR, 0);
        (0..broken[0].rows).for_each(|_| texts.push(&txt("0x1p99999")));
        broken[0].columns[place] = texts;
        refused(&broken)
    }));
}

#[test]
fn f127_what_is_written_and_read_is_charged() {
    let mut numbers = Numbers(17);
    let rows: Vec<_> = (0..3_000)
        .map(|at| (at * 10, random_row(&mut numbers)))
        .collect();
    for (name, shape) in shapes() {
        let used = |budget: &Arc<Budget>| budget.used_bytes();
        let layout = State::new(&shape, &unlimited()).unwrap().layout(&TYPES);
        let rows = &rows[..if name.contains("key") { 60 } else { 3_000 }];
        let tables = tables(state_of(&shape, rows, 100), &layout);
        let budget = unlimited();
        let mut state = State::new(&shape, &budget).unwrap();
        let mut loader = Loader::new(&mut state, &layout, &budget);
        for batch in &tables {
            loader.take(batch).unwrap();
        }
        drop(loader);
        let held = used(&budget);
        assert_eq!(
            held == 0,
            matches!(name, "nothing at all" | "first 0"),
            "{name}"
        );
        let mut partial = state.into_partial(&budget).unwrap();
        assert!(
            used(&budget) > held || held == 0 || name.contains("first"),
            "{name}"
        );
        while partial.next_batch().unwrap().is_some() {}
        drop(partial);
        assert_eq!(used(&budget), 0, "{name}");
        if held == 0 {
            continue;
        }
        // Too little is refused, not passed.
        let budget = Arc::new(Budget::new(held / 2));
        let mut state = State::new(&shape, &budget).unwrap();
        let mut loader = Loader::new(&mut state, &layout, &budget);
        let refused = tables.iter().try_for_each(|batch| loader.take(batch));
        assert!(
            matches!(refused, Err(Refused::Failure(Failure::Full(_)))),
            "{name}: {refused:?}"
        );
    }
}
