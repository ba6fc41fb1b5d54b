//! The ways of an event and of a broadcast in `ARCHITECTURE.md`: their files are there, and few.

use std::fs;
use std::path::PathBuf;

use super::PLANS;
use crate::command::{Result, root};

/// What is not so.
pub(super) fn violations() -> Result<Vec<String>> {
    let ways = ways(&fs::read_to_string(root().join("ARCHITECTURE.md"))?);
    let mut wrong = Vec::new();
    if ways.len() != 2 {
        wrong.push(format!("ARCHITECTURE.md names the files of {} ways, not of two", ways.len()));
    }
    for way in ways {
        if way.files.len() != way.said || way.said > MOST {
            let Way { said, files } = &way;
            wrong.push(format!(
                "ARCHITECTURE.md says {said} files, names {}, and may name {MOST}",
                files.len()
            ));
        }
        let missing = way.files.into_iter().filter(|file| !root().join(file).is_file());
        let say = |file: PathBuf| format!("ARCHITECTURE.md names {}", file.display());
        wrong.extend(missing.map(say).map(|line| line + ", which there is not"));
    }
    Ok(wrong)
}

/// Files that one thing passes.
#[derive(Debug, PartialEq)]
struct Way {
    /// How many there are, by the sentence above them.
    said: usize,
    files: Vec<PathBuf>,
}

/// A way begins with a sentence of "these N files"; its lines are a crate and files of it.
fn ways(text: &str) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for line in text.lines() {
        let said = line.split_once(" these ").and_then(|(_, rest)| rest.split_once(" files"));
        if let Some(said) = said.and_then(|(said, _)| said.parse().ok()) {
            ways.push(Way { said, files: Vec::new() });
        }
        let mut words = line.strip_prefix("    ").into_iter().flat_map(str::split_whitespace);
        let package = words.next().filter(|name| PLANS.iter().any(|plan| plan.name == *name));
        let (Some(package), Some(way)) = (package, ways.last_mut()) else { continue };
        let source = PathBuf::from("crates").join(package).join("src");
        way.files.extend(words.filter(|word| word.ends_with(".rs")).map(|file| source.join(file)));
    }
    ways
}

/// More than that nobody has in mind.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read() {
        let text = "    engineio server.rs\n\nIt passes these 2 files, in order:\n\n    \
                    engineio   driver/mod.rs\n    engineio-proto -> none\n    \
                    engineio-proto packet.rs\n\nthese files\n";
        let files = ["crates/engineio/src/driver/mod.rs", "crates/engineio-proto/src/packet.rs"];
        let files = files.map(PathBuf::from).to_vec();
        assert_eq!(ways(text), [Way { said: 2, files }]);
    }
}
