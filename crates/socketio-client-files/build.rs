//! Lists the files below `dist/` for `src/lib.rs` to embed: per release one folder, as `v4`, with the
//! files and their `VERSION`. Without the folder the lists are empty.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let dist = package.join("dist");
    // A path that does not exist counts as changed, always; so its parent is watched instead.
    println!("cargo::rerun-if-changed={}", if dist.exists() { "dist" } else { "." });

    let lists = format!("{}{}", list("V4", &dist.join("v4")), list("V2", &dist.join("v2")));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("lists.rs"), lists).expect("OUT_DIR can be written");
}

/// The source text of one release's constant.
fn list(constant: &str, folder: &Path) -> String {
    let version = fs::read_to_string(folder.join("VERSION")).unwrap_or_default();
    let version = version.trim();
    let files: String = names(folder)
        .iter()
        .map(|name| {
            let content_type = content_type(name);
            let path = folder.join(name);
            let path = path.to_str().expect("the path of the package is text");
            format!(
                "ClientFile {{ name: {name:?}, content_type: {content_type:?}, \
                 bytes: include_bytes!({path:?}) }},\n"
            )
        })
        .collect();
    format!("static {constant}: Bundle = Bundle {{ version: {version:?}, files: &[\n{files}] }};\n")
}

/// The scripts and source maps of a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".js") || name.ends_with(".js.map"));
    names.sort();
    names
}

fn content_type(name: &str) -> &'static str {
    if name.ends_with(".map") {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    }
}
