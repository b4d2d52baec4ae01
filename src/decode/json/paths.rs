//! The paths that are read, as one tree that is walked beside a document; and what is noted of the values found.

use crate::value::column::{Column, Path, Source, Step};

/// All paths that are read.
#[derive(Debug)]
pub(super) struct Tree {
    /// Invariant: not empty; the first is the document, and children come after their parents.
    nodes: Vec<Node>,
    slots: usize,
    /// For each node the number of the walk that last came by: a second time is a repeated key.
    visits: Vec<u64>,
    walk: u64,
}

/// One value of a document that is read, or is on the way to one.
#[derive(Debug, Default)]
struct Node {
    keys: Vec<(Box<[u8]>, NodeId)>,
    elements: Vec<(u32, NodeId)>,
    /// Which token is this value's.
    slot: Option<usize>,
}

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

impl Tree {
    pub(super) const DOCUMENT: NodeId = NodeId(0);

    /// The tree of no path.
    pub(super) fn of_nothing() -> Self {
        Self {
            nodes: vec![Node::default()],
            slots: 0,
            visits: vec![0],
            walk: 0,
        }
    }

    /// The tree of what `columns` read, and each column's slot. Columns of one path share theirs.
    pub(super) fn of_columns(columns: &[Column]) -> (Self, Vec<Option<usize>>) {
        let mut tree = Self::of_nothing();
        let slots = columns
            .iter()
            .map(|column| match &column.source {
                Source::Path(Path(steps)) => tree.add(steps),
                Source::Header(_)
                | Source::Position(_)
                | Source::Object
                | Source::ReceivedAt
                | Source::Feed
                | Source::Number => None,
            })
            .collect();
        (tree, slots)
    }

    /// The tree of the one path to the array of records, whose slot is 0.
    pub(super) fn of_records(Path(steps): &Path) -> Self {
        let mut tree = Self::of_nothing();
        let steps = steps.strip_suffix(&[Step::Each]).unwrap_or(steps);
        let _ = tree.add(steps);
        tree
    }

    /// The slot at the end of `steps`; `None` where a step goes into every element, which a column cannot.
    fn add(&mut self, steps: &[Step]) -> Option<usize> {
        let mut at = Self::DOCUMENT;
        for step in steps {
            let next = NodeId(self.nodes.len());
            let node = self.nodes.get_mut(at.0)?;
            at = match step {
                Step::Key(key) => {
                    let key = key.as_bytes();
                    match node.keys.iter().find(|(known, _)| **known == *key) {
                        Some((_, child)) => *child,
                        None => {
                            node.keys.push((key.into(), next));
                            next
                        }
                    }
                }
                Step::Index(index) => {
                    match node.elements.iter().find(|(known, _)| known == index) {
                        Some((_, child)) => *child,
                        None => {
                            node.elements.push((*index, next));
                            next
                        }
                    }
                }
                Step::Each => return None,
            };
            if at == next {
                self.nodes.push(Node::default());
                self.visits.push(0);
            }
        }
        let node = self.nodes.get_mut(at.0)?;
        let slot = *node.slot.get_or_insert(self.slots);
        self.slots = self.slots.max(slot + 1);
        Some(slot)
    }

    /// How many tokens a record has.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    pub(super) fn slot(&self, node: NodeId) -> Option<usize> {
        self.nodes.get(node.0)?.slot
    }

    /// Whether a document may be an object.
    pub(super) fn takes_object(&self) -> bool {
        let document = self.nodes.first();
        document.is_some_and(|node| !node.keys.is_empty() || node.elements.is_empty())
    }

    /// Whether a document may be an array.
    pub(super) fn takes_array(&self) -> bool {
        let document = self.nodes.first();
        document.is_some_and(|node| !node.elements.is_empty() || node.keys.is_empty())
    }

    /// A document is walked from here on.
    pub(super) fn begin(&mut self) {
        self.walk += 1;
    }

    /// Whether any key of the object at `node` is read.
    pub(super) fn has_keys(&self, node: NodeId) -> bool {
        self.nodes
            .get(node.0)
            .is_some_and(|node| !node.keys.is_empty())
    }

    /// The value under `key`, if it is read.
    pub(super) fn under_key(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        let node = self.nodes.get(node.0)?;
        let (_, child) = node.keys.iter().find(|(known, _)| **known == *key)?;
        Some(*child)
    }

    /// The value at `index`, if it is read.
    pub(super) fn at_index(&self, node: NodeId, index: u32) -> Option<NodeId> {
        let node = self.nodes.get(node.0)?;
        let (_, child) = node.elements.iter().find(|(known, _)| *known == index)?;
        Some(*child)
    }

    /// Notes that the walk comes by `node`; `false` where it did before.
    pub(super) fn visit(&mut self, node: NodeId) -> bool {
        let Some(visit) = self.visits.get_mut(node.0) else {
            return true;
        };
        std::mem::replace(visit, self.walk) != self.walk
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is none.
    #[default]
    Absent,
    /// `null`
    Null,
    /// `true` or `false`
    Truth,
    /// A bare word that begins as a number does.
    Number,
    /// A string without escapes.
    Text,
    /// A string with escapes, each well formed.
    Escaped,
    /// An object or array.
    Nested,
}

/// Where in a chunk a value stands; a string without its quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Token {
    pub(super) fn new(kind: Kind, start: usize, end: usize) -> Self {
        // A chunk is far smaller than 4 GiB.
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            kind,
            start: narrow(start),
            end: narrow(end),
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}
