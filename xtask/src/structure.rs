//! The structure of the libraries, held against what was drawn: `cargo xtask circles` and `layers`.
//!
//! `modules.rs` reads a crate's sources into files and the files that they name; `circles.rs` finds
//! those that name each other in a loop, `layers.rs` those that name a higher storey; `plan.rs` is the
//! drawing, as data: the storeys, and the circles that are inherent. `map.rs` compares which crate
//! depends on which with the map in `ARCHITECTURE.md`; `ways.rs` looks for the files that are named there.

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::command::{Result, root};

mod circles;
mod layers;
mod map;
mod modules;
mod plan;
mod ways;

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
            let kind = if is_drawn(plan, &circle) { "drawn as inherent" } else { "not drawn" };
            println!("  {} files, {kind}:", circle.len());
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

/// The check: no circle is there that was not drawn, no file names a higher storey, and no crate
/// depends on another one that was not drawn below it.
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
    wrong.extend(map::violations()?);
    wrong.extend(ways::violations()?);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

fn read(plan: &Plan) -> Result<Crate> {
    Crate::new(&Source::read(&root().join("crates").join(plan.name).join("src"))?)
}

/// What of a crate is not as it was drawn.
fn compare(plan: &Plan, package: &Crate) -> Vec<String> {
    let mut wrong = Vec::new();
    for circle in circles(&package.imports) {
        if !is_drawn(plan, &circle) {
            wrong.push(format!("a circle of imports: {}", circle.join(", ")));
        }
    }
    wrong.extend(layers::violations(plan.storeys, &package.imports));
    wrong
}

fn is_drawn(plan: &Plan, circle: &[String]) -> bool {
    plan.circles.iter().any(|drawn| circle.iter().all(|file| drawn.contains(&file.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: Plan = Plan {
        name: "house",
        storeys: &[&["roof"], &["rooms"], &["ground"]],
        circles: &[&["rooms/hall", "rooms/kitchen"]],
    };

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
        let found = &[
            "a circle of imports: roof, rooms/hall, rooms/kitchen",
            "rooms/hall names Roof of roof, which stands above it",
        ];
        check(&[LIB, ROOF, GROUND, ROOMS, KITCHEN, hall], found);
    }

    #[test]
    fn an_arrow_in_a_macro() {
        let ground =
            ("ground.rs", "pub struct Stone; fn f() { assert!(crate::roof::is_tight()); }");
        let hall = ("rooms/hall.rs", "pub struct Hall;");
        let found = &[
            "a circle of imports: ground, roof, rooms/kitchen",
            "ground names is_tight of roof, which stands above it",
        ];
        check(&[LIB, ROOF, ground, ROOMS, KITCHEN, hall], found);
    }

    #[test]
    fn tests_may_name_what_they_like() {
        for condition in ["test", "all(test, feature = \"cellar\")"] {
            let hall =
                format!("pub struct Hall; #[cfg({condition})] mod tests {{ use crate::Roof; }}");
            check(&[LIB, ROOF, GROUND, ROOMS, KITCHEN, ("rooms/hall.rs", &hall)], &[]);
        }
    }

    /// No circle: the roof does not name the hall back.
    #[test]
    fn an_arrow_upwards() {
        let roof = ("roof.rs", "pub struct Roof;");
        let hall = ("rooms/hall.rs", "pub struct Hall(Option<Box<crate::Roof>>);");
        let found = &["rooms/hall names Roof of roof, which stands above it"];
        check(&[LIB, roof, GROUND, ROOMS, KITCHEN, hall], found);
    }

    #[test]
    fn every_file_has_a_storey() {
        let lib = ("lib.rs", "mod cellar; mod roof; mod rooms;");
        let cellar = ("cellar.rs", "");
        let roof = ("roof.rs", "");
        let rooms = ("rooms.rs", "");
        let found =
            &["cellar stands in no storey", "ground has a storey, but there is no such file"];
        check(&[lib, cellar, roof, rooms], found);
    }

    #[test]
    fn a_part_may_have_a_storey_of_its_own() {
        const SPLIT: Plan = Plan {
            name: "house",
            storeys: &[&["rooms"], &["roof"], &["rooms/hall", "ground"]],
            circles: &[],
        };
        let hall = ("rooms/hall.rs", "pub struct Hall(crate::roof::Roof);");
        let roof = ("roof.rs", "pub struct Roof(crate::rooms::Kitchen);");
        let source = Source::of(&[LIB, roof, GROUND, ROOMS, KITCHEN, hall]);
        let package = Crate::new(&source).expect("it can be read");
        let found = layers::violations(SPLIT.storeys, &package.imports);
        let expected = [
            "roof names Kitchen of rooms/kitchen, which stands above it",
            "rooms/hall names Roof of roof, which stands above it",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_map_of_crates() {
        let text = "# House\n\n    a -> b\n\n## Code map\n\nCrates:\n\n    one -> two (x)  two -> three\n    \
                    one -> three\n\nwords\n\n    three -> one\n";
        let arrow = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        let drawn = map::drawn(text);
        let all = [arrow("one", "two"), arrow("one", "three"), arrow("two", "three")];
        assert_eq!(drawn, all.clone().into());
        let [first, _, third] = all;
        let found = [first, third, arrow("three", "one")].into();
        let expected = [
            "three depends on one, which the map in ARCHITECTURE.md does not draw",
            "the map in ARCHITECTURE.md draws one -> three, but there is no such dependency",
        ];
        assert_eq!(map::compare(&drawn, &found), expected);
    }
}
