//! Storeys: a file names what stands in its own or below it, and nothing above.

use std::collections::BTreeSet;

use super::modules::Imports;

/// The storeys of a crate, from the top. A name stands for a file and for what lies in its folder, but
/// for what is listed by a longer name.
pub(super) type Storeys = &'static [&'static [&'static str]];

/// What of a crate is not as its storeys are drawn.
pub(super) fn violations(storeys: Storeys, imports: &Imports) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (file, others) in imports {
        let Some((storey, name)) = storey_of(storeys, file) else {
            wrong.push(format!("{file} stands in no storey"));
            continue;
        };
        used.insert(name);
        for (other, names) in others {
            if storey_of(storeys, other).is_some_and(|(above, _)| above < storey) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                wrong.push(format!(
                    "{file} names {} of {other}, which stands above it",
                    names.join(", ")
                ));
            }
        }
    }
    let drawn = storeys.iter().copied().flatten();
    let unused = drawn.filter(|name| !used.contains(**name));
    wrong.extend(unused.map(|name| format!("{name} has a storey, but there is no such file")));
    wrong
}

/// The storey of a file, counted from the top, and the name that it is listed by.
fn storey_of(storeys: Storeys, file: &str) -> Option<(usize, &'static str)> {
    let is_it = |name: &str| {
        file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let listed = storeys
        .iter()
        .enumerate()
        .flat_map(|(storey, names)| names.iter().map(move |name| (storey, *name)));
    listed.filter(|(_, name)| is_it(name)).max_by_key(|(_, name)| name.len())
}
