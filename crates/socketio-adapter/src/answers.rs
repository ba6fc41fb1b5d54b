//! What several nodes answered, and which of them did not.

/// What the nodes of a cluster answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers<T> {
    /// The answers of all nodes that answered, this node's first.
    pub items: Vec<T>,
    /// How many nodes answered; this one is among them if it was asked.
    pub answered: usize,
    /// The nodes that did not answer in time, one entry for each, as the adapter calls them. If the
    /// broker between the nodes cannot be asked how many there are, it is the one that is missing.
    pub missing: Vec<String>,
}

impl<T> Answers<T> {
    /// The answer of one node.
    #[must_use]
    pub const fn of_one_node(items: Vec<T>) -> Self {
        Self { items, answered: 1, missing: Vec::new() }
    }

    /// Whether all nodes answered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Appends the answers of other nodes.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self.answered += other.answered;
        self.missing.extend(other.missing);
        self
    }

    /// The same with other items.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Answers<U> {
        let Self { items, answered, missing } = self;
        Answers { items: items.into_iter().map(f).collect(), answered, missing }
    }
}
