//! The structure of the libraries, held against what was drawn: `cargo xtask circles`.
//!
//! `modules.rs` reads a crate's sources into files and the files that they name; `circles.rs` finds
//! those that name each other in a loop; `plan.rs` is the drawing, as data: the circles that may be,
//! and which crate depends on which. This file compares.

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::command::{Result, cargo, output_of, root};

mod circles;
mod modules;
mod plan;

use circles::circles;
use modules::{Crate, Source};
use plan::{PLANS, Plan};

/// `cargo xtask circles`: the loops of imports of each library, or of those that are named.
pub(crate) fn command(names: &[String]) -> Result<ExitCode> {
    for plan in PLANS.iter().filter(|plan| names.is_empty() || names.iter().any(|n| n == plan.name))
    {
        let package = read(plan)?;
        let found = circles(&package.imports);
        println!("{}: {} files, {} circles", plan.name, package.imports.len(), found.len());
        for circle in found {
            println!("  {} files:", circle.len());
            for file in &circle {
                let names: Vec<&str> = package.imports[file]
                    .keys()
                    .filter(|other| circle.contains(*other))
                    .map(String::as_str)
                    .collect();
                println!("    {file} -> {}", names.join(", "));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The check: no circle is there that was not drawn, and no crate depends on another one that was not
/// drawn below it.
pub(crate) fn structure() -> Result<()> {
    let mut wrong = Vec::new();
    for plan in PLANS {
        let package = read(plan)?;
        let found = compare(plan, &package);
        if found.is_empty() {
            let arrows: usize = package.imports.values().map(BTreeMap::len).sum();
            println!("{}: {} files, {arrows} arrows", plan.name, package.imports.len());
        }
        wrong.extend(found.into_iter().map(|line| format!("{}: {line}", plan.name)));
    }
    wrong.extend(dependencies()?);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

fn read(plan: &Plan) -> Result<Crate> {
    Crate::new(&Source::read(&root().join("crates").join(plan.name).join("src"))?)
}

/// What of a crate is not as it was drawn.
fn compare(plan: &Plan, package: &Crate) -> Vec<String> {
    let mut wrong = Vec::new();
    for circle in circles(&package.imports) {
        let is_drawn = plan
            .circles
            .iter()
            .any(|drawn| circle.iter().all(|file| drawn.contains(&file.as_str())));
        if !is_drawn {
            wrong.push(format!("a circle of imports: {}", circle.join(", ")));
        }
    }
    wrong
}

/// What the manifests say beside the plan.
fn dependencies() -> Result<Vec<String>> {
    let metadata = output_of(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().ok_or("cargo tells no packages")?;
    let ours = |name: &str| PLANS.iter().find(|plan| plan.name == name);
    let mut wrong = Vec::new();
    for package in packages {
        let Some(plan) = package["name"].as_str().and_then(ours) else { continue };
        let dependencies =
            package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        for dependency in dependencies.iter().filter(|dependency| dependency["kind"].is_null()) {
            let Some(other) = dependency["name"].as_str().and_then(ours) else { continue };
            if !plan.depends_on.contains(&other.name) {
                wrong.push(format!(
                    "{} depends on {}, which the plan does not draw",
                    plan.name, other.name
                ));
            }
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: Plan =
        Plan { name: "house", circles: &[&["rooms/hall", "rooms/kitchen"]], depends_on: &[] };

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let source = Source::of(files);
        let found = compare(&HOUSE, &Crate::new(&source).expect("it can be read"));
        assert_eq!(found, expected);
    }

    const LIB: (&str, &str) = ("lib.rs", "mod ground; mod roof; mod rooms; pub use roof::Roof;");
    const ROOF: (&str, &str) = ("roof.rs", "use crate::rooms::Kitchen; pub struct Roof(Kitchen);");
    const GROUND: (&str, &str) = ("ground.rs", "pub struct Stone;");
    const KITCHEN: (&str, &str) = (
        "rooms/kitchen.rs",
        "use super::hall::Hall; use crate::ground::Stone; pub struct Kitchen(Hall, Stone);",
    );
    const ROOMS: (&str, &str) =
        ("rooms.rs", "mod hall; mod kitchen; pub(crate) use kitchen::Kitchen;");

    #[test]
    fn no_circle() {
        check(&[LIB, ROOF, GROUND, ROOMS, KITCHEN, ("rooms/hall.rs", "pub struct Hall;")], &[]);
    }

    #[test]
    fn a_circle_that_is_drawn() {
        let hall = ("rooms/hall.rs", "pub struct Hall(Option<Box<super::Kitchen>>);");
        check(&[LIB, ROOF, GROUND, ROOMS, KITCHEN, hall], &[]);
    }

    #[test]
    fn a_circle_that_grows() {
        let hall = ("rooms/hall.rs", "pub struct Hall(Option<Box<crate::Roof>>);");
        let found = &["a circle of imports: roof, rooms/hall, rooms/kitchen"];
        check(&[LIB, ROOF, GROUND, ROOMS, KITCHEN, hall], found);
    }

    #[test]
    fn an_arrow_in_a_macro() {
        let ground =
            ("ground.rs", "pub struct Stone; fn f() { assert!(crate::roof::is_tight()); }");
        let hall = ("rooms/hall.rs", "pub struct Hall;");
        let found = &["a circle of imports: ground, roof, rooms/kitchen"];
        check(&[LIB, ROOF, ground, ROOMS, KITCHEN, hall], found);
    }

    #[test]
    fn tests_may_name_what_they_like() {
        let hall =
            ("rooms/hall.rs", "pub struct Hall; #[cfg(test)] mod tests { use crate::Roof; }");
        check(&[LIB, ROOF, GROUND, ROOMS, KITCHEN, hall], &[]);
    }
}
