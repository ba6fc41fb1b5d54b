//! The checks of `cargo xtask ci` that no other tool makes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Result, cargo, output_of, root, run};

/// The protocol crates do no I/O: nothing that could is among their dependencies.
pub(crate) fn sans_io() -> Result<()> {
    for package in ["engineio-proto", "socketio-parser"] {
        let tree = ["tree", "--package", package, "--edges", "normal", "--prefix", "none"];
        let tree = output_of(cargo().args(tree).args(["--all-features", "--format", "{lib}"]))?;
        let found: Vec<&str> = tree.lines().filter(|name| IO_CRATES.contains(name)).collect();
        if !found.is_empty() {
            return Err(format!("{package} depends on {}", found.join(", ")).into());
        }
        println!("{package}: none of {}", IO_CRATES.join(", "));
    }
    Ok(())
}

/// A file of a library holds one concern. Its tests, at the bottom or in a file `tests.rs`, do not
/// count.
pub(crate) fn file_lengths() -> Result<()> {
    let mut too_long = Vec::new();
    for package in packages()? {
        for file in rust_files(&package.join("src"))? {
            if file.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            let text = fs::read_to_string(&file)?;
            let length = code_lines(&text);
            let excused = text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .any(|line| line.contains("over 600 lines"));
            if length > MAX_LINES && !excused {
                let file = file.strip_prefix(root())?.display();
                too_long.push(format!("{file} ({length})"));
            }
        }
    }
    if too_long.is_empty() {
        println!("no file over {MAX_LINES} lines without a reason");
        return Ok(());
    }
    let files = too_long.join(", ");
    Err(format!("split, or say in the module doc why it is over 600 lines: {files}").into())
}

/// Nobody excepts himself from the workspace's rule about unsafe code but the addon for Node.js, in one
/// place; and each package has its rules.
pub(crate) fn no_unsafe() -> Result<()> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for folder in ["crates", "conformance", "examples", "xtask"] {
        for file in rust_files(&root().join(folder))? {
            count += 1;
            let text = fs::read_to_string(&file)?;
            let name = file.strip_prefix(root())?.display().to_string();
            if name != MAY_BE_UNSAFE && text.lines().any(excepts_from_unsafe_rule) {
                wrong.push(name);
            }
        }
    }
    for package in packages()? {
        let manifest = package.join("Cargo.toml");
        if !fs::read_to_string(&manifest)?.contains("[lints]\nworkspace = true") {
            wrong.push(manifest.strip_prefix(root())?.display().to_string());
        }
    }
    if !fs::read_to_string(root().join("Cargo.toml"))?.contains("unsafe_code = \"deny\"") {
        wrong.push("Cargo.toml".to_owned());
    }
    if wrong.is_empty() {
        println!("no unsafe code is allowed in {count} files but by {MAY_BE_UNSAFE}");
        return Ok(());
    }
    Err(format!("the rule about unsafe code is not kept in {}", wrong.join(", ")).into())
}

/// The file that allows unsafe code, for the module that speaks to Node.js: its interface is one of C.
/// Clippy sees to it that each block says why it is sound.
const MAY_BE_UNSAFE: &str = "crates/socketio-node/src/lib.rs";

/// Whether a line is an attribute that allows unsafe code.
fn excepts_from_unsafe_rule(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#')
        && line.contains("unsafe_code")
        && ["allow(", "expect(", "warn("].iter().any(|level| line.contains(level))
}

/// Each library builds without its features, with each of them alone, and with all.
pub(crate) fn features() -> Result<()> {
    for package in packages()? {
        let features = feature_names(&fs::read_to_string(package.join("Cargo.toml"))?);
        if features.is_empty() {
            continue;
        }
        let manifest = package.join("Cargo.toml");
        let check = |selection: &[&str]| {
            let mut clippy = cargo();
            clippy.args(["clippy", "--quiet", "--manifest-path"]).arg(&manifest).args(selection);
            run(clippy.args(["--", "--deny", "warnings"]))
        };
        check(&["--no-default-features"])?;
        for feature in &features {
            check(&["--no-default-features", "--features", feature])?;
        }
        check(&["--all-features"])?;
    }
    Ok(())
}

/// The lines before the test module.
fn code_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_test_module = |pair: &[&str]| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    };
    lines.windows(2).position(is_test_module).unwrap_or(lines.len())
}

/// The names in the `[features]` table of a manifest, but for `default`. Cargo writes one a line.
fn feature_names(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().trim_matches('"').to_owned())
        .filter(|name| name != "default")
        .collect()
}

/// The folders of the libraries.
fn packages() -> Result<Vec<PathBuf>> {
    let mut folders = entries(&root().join("crates"))?;
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    Ok(folders)
}

/// The sources below a folder, sorted.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            files.extend(rust_files(&entry)?);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(files)
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        entries.push(entry?.path());
    }
    entries.sort();
    Ok(entries)
}

/// From the style guide: above it a file is split, or says why not.
const MAX_LINES: usize = 600;

/// What I/O and its runtimes come in with.
const IO_CRATES: [&str; 6] = ["tokio", "hyper", "mio", "socket2", "async_io", "futures_io"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_a_manifest() {
        let manifest = "[package]\nname = \"a\"\n\n[features]\ndefault = [\"deflate\"]\n\
                        deflate = [\"dep:flate2\"]\nmsgpack = []\n\n[dependencies]\nbytes = \"1\"\n";
        assert_eq!(feature_names(manifest), ["deflate", "msgpack"]);
        assert_eq!(feature_names("[package]\nname = \"a\"\n"), Vec::<String>::new());
    }

    #[test]
    fn exceptions_from_the_unsafe_rule() {
        assert!(excepts_from_unsafe_rule("    #[allow(unsafe_code)]"));
        assert!(excepts_from_unsafe_rule("#![expect(dead_code, unsafe_code, reason = \"x\")]"));
        assert!(!excepts_from_unsafe_rule("#![deny(unsafe_code)]"));
        assert!(!excepts_from_unsafe_rule("// #[allow(unsafe_code)]"));
    }

    #[test]
    fn tests_do_not_count() {
        assert_eq!(code_lines("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(code_lines("#[cfg(test)]\nmod tests;\n\nfn a() {}\n"), 4);
    }
}
