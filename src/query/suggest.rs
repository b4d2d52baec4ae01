//! "Did you mean": the nearest of some known names, or all of them.

/// The name of `known` that `name` is a slip of, if one is near enough: a third of its letters, at most three.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = name
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let most = (wrong.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter_map(|candidate| {
            let right: Vec<char> = candidate
                .chars()
                .map(|letter| letter.to_ascii_lowercase())
                .collect();
            // Also what keeps a name of 64 KiB from costing its square.
            let distance =
                (right.len().abs_diff(wrong.len()) <= most).then(|| distance(&wrong, &right))?;
            (distance <= most && distance < right.len()).then_some((distance, candidate))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, &a) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (j, &b) in right.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&row, j) + usize::from(a != b))
                .min(at(&row, j + 1) + 1)
                .min(at(&next, j) + 1);
            let swapped =
                i > 0 && j > 0 && left.get(i - 1) == Some(&b) && right.get(j - 1) == Some(&a);
            if swapped {
                best = best.min(at(&above, j - 1) + 1);
            }
            next.push(best);
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

/// Columns that a message lists.
const LISTED: usize = 12;

/// The names of columns, for a name that is like none of them.
pub(super) fn listed<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = columns.collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    let first = names.get(..LISTED).unwrap_or(&names);
    format!("the columns are {}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_no_other() {
        let known = ["price", "qty", "shop", "time_bucket", "QUERY_URI"];
        for (name, want) in [
            ("prize", Some("price")),
            ("Shp", Some("shop")),
            ("qyt", Some("qty")),
            ("timebucket", Some("time_bucket")),
            ("query_url", Some("QUERY_URI")),
            ("volume", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), want, "{name}");
        }
        assert_eq!(nearest(&"a".repeat(1 << 16), known), None);
    }
}
