//! A table whose entries keep their index from insertion to removal.
//!
//! Indices are `u32`: they are stored once or twice per membership. Free entries form a list, the
//! one freed last is used first. The table keeps its size until it is empty, then it is given back.

use std::ops::{Index, IndexMut};

pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The head of the list of free entries, or `END`.
    free: u32,
    taken: usize,
}

enum Entry<T> {
    Taken(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: END, taken: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.taken += 1;
        if self.free == END {
            let len = self.entries.len();
            if len == self.entries.capacity() {
                // by a quarter, not by all: there may be very many, for long
                self.entries.reserve_exact((len / 4).max(4));
            }
            let index = u32::try_from(len).expect("memory holds fewer entries");
            self.entries.push(Entry::Taken(value));
            return index;
        }
        let index = self.free;
        let entry = &mut self.entries[index as usize];
        let Entry::Free { next } = *entry else { unreachable!("the list has free entries only") };
        self.free = next;
        *entry = Entry::Taken(value);
        index
    }

    /// Takes an entry out.
    ///
    /// # Panics
    /// If there is none of this index; the callers hold indices of taken entries only.
    pub(crate) fn remove(&mut self, index: u32) -> T {
        let entry = &mut self.entries[index as usize];
        let Entry::Taken(value) = std::mem::replace(entry, Entry::Free { next: self.free }) else {
            unreachable!("only a taken entry is removed")
        };
        self.free = index;
        self.taken -= 1;
        if self.taken == 0 {
            *self = Self::new();
        }
        value
    }

    /// An entry, if there is one of this index.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        match self.entries.get(index as usize) {
            Some(Entry::Taken(value)) => Some(value),
            _ => None,
        }
    }

    /// All indices are below this.
    pub(crate) fn end(&self) -> usize {
        self.entries.len()
    }

    /// The taken entries, by ascending indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(&self.entries).filter_map(|(index, entry)| match entry {
            Entry::Taken(value) => Some((index, value)),
            Entry::Free { .. } => None,
        })
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        let Entry::Taken(value) = &self.entries[index as usize] else {
            unreachable!("only taken entries are referred to")
        };
        value
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        let Entry::Taken(value) = &mut self.entries[index as usize] else {
            unreachable!("only taken entries are referred to")
        };
        value
    }
}

/// No entry: its index is never given out, because a table of that many entries fits no memory.
const END: u32 = u32::MAX;
