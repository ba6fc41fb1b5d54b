//! The map of crates in `ARCHITECTURE.md`: which of ours may depend on which.

use std::collections::BTreeSet;
use std::fs;

use crate::command::{Result, cargo, output_of, root};

/// A crate, and one that it depends on.
pub(super) type Arrow = (String, String);

/// What the manifests say beside the map, and the map beside the manifests.
pub(super) fn violations() -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    Ok(compare(&drawn(&text), &depended_on()?))
}

pub(super) fn compare(drawn: &BTreeSet<Arrow>, found: &BTreeSet<Arrow>) -> Vec<String> {
    let new = found.difference(drawn).map(|(one, other)| {
        format!("{one} depends on {other}, which the map in ARCHITECTURE.md does not draw")
    });
    let old = drawn.difference(found).map(|(one, other)| {
        format!(
            "the map in ARCHITECTURE.md draws {one} -> {other}, but there is no such dependency"
        )
    });
    new.chain(old).collect()
}

/// The arrows of the first indented block under the heading of the map. Chains in a line are apart by
/// two blanks or more.
pub(super) fn drawn(text: &str) -> BTreeSet<Arrow> {
    let map = text.split_once(HEADING).map_or("", |(_, map)| map);
    let block = map
        .lines()
        .skip_while(|line| !line.starts_with(INDENT))
        .take_while(|line| line.starts_with(INDENT));
    let mut arrows = BTreeSet::new();
    for chain in block.flat_map(|line| line.split("  ")) {
        let names: Vec<&str> = chain
            .split(" -> ")
            .map(|name| name.split(" (").next().unwrap_or_default().trim())
            .collect();
        for pair in names.windows(2) {
            arrows.insert((pair[0].to_owned(), pair[1].to_owned()));
        }
    }
    arrows
}

/// The arrows between the crates in `crates/`, without those of tests.
fn depended_on() -> Result<BTreeSet<Arrow>> {
    let metadata = output_of(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let folder = root().join("crates");
    let is_ours = |package: &&serde_json::Value| {
        package["manifest_path"]
            .as_str()
            .is_some_and(|path| path.starts_with(&*folder.to_string_lossy()))
    };
    let packages: Vec<_> = metadata["packages"]
        .as_array()
        .ok_or("cargo tells no packages")?
        .iter()
        .filter(is_ours)
        .collect();
    let names: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut arrows = BTreeSet::new();
    for package in &packages {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
            let (Some(one), Some(other)) = (package["name"].as_str(), dependency["name"].as_str())
            else {
                continue;
            };
            if names.contains(other) {
                arrows.insert((one.to_owned(), other.to_owned()));
            }
        }
    }
    Ok(arrows)
}

const HEADING: &str = "## Code map";
const INDENT: &str = "    ";
