//! Files that name each other in a loop: the strongly connected parts of the graph of imports
//! (Tarjan's algorithm).

use std::collections::BTreeMap;

use super::modules::Imports;

/// The circles, each sorted, in the order of their first files.
pub(super) fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let mut search =
        Search { imports, seen: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for file in imports.keys() {
        if !search.seen.contains_key(file.as_str()) {
            search.visit(file);
        }
    }
    search.found.sort();
    search.found
}

struct Search<'a> {
    imports: &'a Imports,
    seen: BTreeMap<&'a str, Seen>,
    stack: Vec<&'a str>,
    found: Vec<Vec<String>>,
}

#[derive(Clone, Copy)]
struct Seen {
    number: usize,
    lowest: usize,
    on_stack: bool,
}

impl<'a> Search<'a> {
    fn visit(&mut self, file: &'a str) -> usize {
        let number = self.seen.len();
        self.seen.insert(file, Seen { number, lowest: number, on_stack: true });
        self.stack.push(file);
        let mut lowest = number;
        for other in self.imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            match self.seen.get(other.as_str()) {
                None => lowest = lowest.min(self.visit(other)),
                Some(seen) if seen.on_stack => lowest = lowest.min(seen.number),
                Some(_) => {}
            }
        }
        if let Some(seen) = self.seen.get_mut(file) {
            seen.lowest = lowest;
        }
        if lowest == number {
            let begin = self.stack.iter().rposition(|other| *other == file).unwrap_or(0);
            let mut circle: Vec<String> = Vec::new();
            for other in self.stack.split_off(begin) {
                if let Some(seen) = self.seen.get_mut(other) {
                    seen.on_stack = false;
                }
                circle.push(other.to_owned());
            }
            if circle.len() > 1 {
                circle.sort();
                self.found.push(circle);
            }
        }
        lowest
    }
}
