//! The check that the table of the API's items is whole: each item has a row, and each row names
//! tests that exist.
//!
//! It reads sources as text, which is enough for tests that are written as this repository writes
//! them: attributes a line each, then `fn name(`.

use std::fs;
use std::path::Path;

use crate::checks::rust_files;
use crate::command::{Result, root};

/// Compares the list of items, the table and the tests.
pub(crate) fn items() -> Result<()> {
    let docs = root().join("crates/socketio-server/src/docs");
    let (list, table) = (docs.join("items.txt"), docs.join("from-node.md"));
    let items = read(&list)?;
    let items: Vec<&str> =
        items.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let text = read(&table)?;
    let rows = rows(&text);
    let mut wrong = missing(&items, &rows);
    let mut tests = 0;
    for row in &rows {
        if row.tests.is_empty() {
            wrong.push(format!("`{}` names no test", row.item));
        }
        for test in &row.tests {
            tests += 1;
            if let Err(problem) = find(&root().join("crates"), test) {
                wrong.push(format!("`{}` names the test `{test}`: {problem}", row.item));
            }
        }
    }
    if wrong.is_empty() {
        println!("{} items, {} rows, {tests} tests named", items.len(), rows.len());
        return Ok(());
    }
    let table = table.strip_prefix(root())?.display();
    Err(format!("{table}:\n  {}", wrong.join("\n  ")).into())
}

/// A row of a table whose last column is headed `Test`.
struct Row<'a> {
    /// The first cell, without the marks of code.
    item: &'a str,
    /// What stands as code in the last cell.
    tests: Vec<&'a str>,
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut is_ours = false;
    for line in text.lines() {
        let Some(row) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|'))
        else {
            is_ours = false;
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (first, last) = (cells[0], cells[cells.len() - 1]);
        if !is_ours {
            is_ours = last == "Test";
        } else if !first.starts_with("---") {
            // every second piece lies between marks of code
            let tests = last.split('`').skip(1).step_by(2).collect();
            rows.push(Row { item: first.trim_matches('`'), tests });
        }
    }
    rows
}

/// Items that have no row, or more than one.
fn missing(items: &[&str], rows: &[Row<'_>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for item in items {
        match rows.iter().filter(|row| row.item == *item).count() {
            0 => wrong.push(format!("no row for `{item}`")),
            1 => {}
            count => wrong.push(format!("{count} rows for `{item}`")),
        }
    }
    wrong
}

/// Looks for a test: `module::function` of the crate `socketio-server`, or `crate::module::function`.
/// `Err` says what is wrong with it.
fn find(crates: &Path, test: &str) -> std::result::Result<(), String> {
    let parts: Vec<&str> = test.split("::").collect();
    let (package, module, function) = match parts[..] {
        [module, function] => ("socketio-server", module, function),
        [package, module, function] => (package, module, function),
        _ => return Err("write `module::function`".to_owned()),
    };
    let mut is_there = false;
    for folder in ["tests", "src"] {
        // a folder that cannot be read holds no tests
        for file in rust_files(&crates.join(package).join(folder)).unwrap_or_default() {
            if file.file_stem().is_none_or(|stem| stem != module) {
                continue;
            }
            match kind_of(&fs::read_to_string(&file).unwrap_or_default(), function) {
                Some(Kind::Test) => return Ok(()),
                Some(Kind::Ignored) => return Err("it is ignored".to_owned()),
                Some(Kind::Plain) => is_there = true,
                None => {}
            }
        }
    }
    Err(match is_there {
        true => "the function is no test".to_owned(),
        false => format!("no `fn {function}` in a file {module}.rs of crates/{package}"),
    })
}

#[derive(Debug, PartialEq)]
enum Kind {
    Test,
    Ignored,
    Plain,
}

/// What a function is, by the attributes in front of it.
fn kind_of(source: &str, function: &str) -> Option<Kind> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let head = format!(" fn {function}(");
    let is_head = |line: &&str| {
        !line.starts_with("//") && (line.starts_with(&head[1..]) || line.contains(&head))
    };
    let at = lines.iter().position(is_head)?;
    let before = lines[..at].iter().rev();
    let attributes: Vec<&&str> =
        before.take_while(|line| line.starts_with("#[") || line.starts_with("//")).collect();
    let has = |starts: &[&str]| {
        attributes.iter().any(|line| starts.iter().any(|start| line.starts_with(start)))
    };
    Some(if !has(&["#[test]", "#[tokio::test]", "#[tokio::test("]) {
        Kind::Plain
    } else if has(&["#[ignore"]) {
        Kind::Ignored
    } else {
        Kind::Test
    })
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
| Node | Here | Test |
| --- | --- | --- |
| `a[, b]` | [`A`] | `m::f`, `engineio::m::g` |
| `twice` | x | `m::f` |
| `twice` | x | none yet |

| Other | table |
| --- | --- |
| `no row` | `m::f` |
";

    #[test]
    fn rows_of_tables_with_tests() {
        let rows = rows(TABLE);
        let found: Vec<_> = rows.iter().map(|row| (row.item, &row.tests[..])).collect();
        let expected: [(&str, &[&str]); 3] =
            [("a[, b]", &["m::f", "engineio::m::g"]), ("twice", &["m::f"]), ("twice", &[])];
        assert_eq!(found, expected);
    }

    #[test]
    fn items_without_a_row() {
        let wrong = missing(&["a[, b]", "twice", "no row"], &rows(TABLE));
        assert_eq!(wrong, ["2 rows for `twice`", "no row for `no row`"]);
    }

    #[test]
    fn kinds_of_functions() {
        let source = "\
            #[test]\nfn sync() {\n}\n\
            /// Says why.\n    #[tokio::test(start_paused = true)]\n    async fn in_time() {\n}\n\
            #[test]\n#[ignore = \"slow\"]\nfn slow() {}\n\
            fn plain() {}\n";
        for (function, expected) in [
            ("sync", Some(Kind::Test)),
            ("in_time", Some(Kind::Test)),
            ("slow", Some(Kind::Ignored)),
            ("plain", Some(Kind::Plain)),
            ("syn", None),
        ] {
            assert_eq!(kind_of(source, function), expected, "{function}");
        }
    }

    #[test]
    fn tests_that_are_not_there() {
        #[track_caller]
        fn check(test: &str, problem: &str) {
            assert_eq!(find(&root().join("crates"), test).unwrap_err(), problem);
        }
        check("alone", "write `module::function`");
        check("server::nothing", "no `fn nothing` in a file server.rs of crates/socketio-server");
        check("none::x::y", "no `fn y` in a file x.rs of crates/none");
        check("support::arrivals", "the function is no test");
    }
}
