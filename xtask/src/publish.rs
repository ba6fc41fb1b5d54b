//! `cargo xtask publish`: the libraries as the registry gets them.
//!
//! Everything that could go wrong behind the upload is tried before it: all crates are packed in the
//! order of their dependencies, what must be in each is looked for, and a fresh application is built
//! against the packed files, with the program of the README. With `--dry-run` it ends there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::command::{Result, cargo, output_of, program, root, run};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let is_dry = match arguments {
        [] => false,
        [flag] if flag == "--dry-run" => true,
        _ => return Err("usage: cargo xtask publish [--dry-run]".into()),
    };
    let packages = check()?;
    if is_dry {
        println!("publish: nothing was uploaded");
        return Ok(ExitCode::SUCCESS);
    }
    let names = packages.iter().flat_map(|package| ["--package", &package.name]);
    run(cargo().arg("publish").args(names))?;
    Ok(ExitCode::SUCCESS)
}

/// All but the upload. The packages come back in the order in which they can be published.
pub(crate) fn check() -> Result<Vec<Package>> {
    setup::client_files()?;
    let packages = packages()?;
    let wrong: Vec<String> = packages.iter().flat_map(Package::complaints).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n  ").into());
    }
    let packages = in_order(packages)?;
    pack(&packages)?;
    try_as_a_user(&packages)?;
    let names: Vec<&str> = packages.iter().map(|package| &*package.name).collect();
    println!("publish: {} packages, in this order: {}", names.len(), names.join(", "));
    Ok(packages)
}

/// A library of ours that is published.
#[derive(Debug)]
pub(crate) struct Package {
    name: String,
    version: String,
    folder: PathBuf,
    manifest: Value,
}

impl Package {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of its library in programs.
    pub(crate) fn library(&self) -> Option<String> {
        let targets = self.manifest["targets"].as_array()?.iter();
        let mut libraries = targets.filter(|target| {
            let kinds = target["kind"].as_array().into_iter().flatten();
            kinds.filter_map(Value::as_str).any(|kind| kind == "lib" || kind == "proc-macro")
        });
        Some(libraries.next()?["name"].as_str()?.replace('-', "_"))
    }

    /// Whether it is a library of macros.
    pub(crate) fn is_macro(&self) -> bool {
        let targets = self.manifest["targets"].as_array().into_iter().flatten();
        let mut kinds = targets.flat_map(|target| target["kind"].as_array()).flatten();
        kinds.any(|kind| kind == "proc-macro")
    }

    /// The packages of ours that it needs to be built.
    fn needs(&self) -> impl Iterator<Item = &str> {
        self.dependencies()
            .filter(|dependency| dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str())
    }

    fn dependencies(&self) -> impl Iterator<Item = &Value> {
        self.manifest["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["path"].is_string())
    }

    /// What somebody would miss in the registry.
    fn complaints(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |is_there: bool, what: &str| {
            if !is_there {
                wrong.push(format!("{}: {what}", self.name));
            }
        };
        let count = |field: &str| self.manifest[field].as_array().map_or(0, Vec::len);
        for field in ["description", "license", "repository", "readme", "rust_version"] {
            expect(self.manifest[field].is_string(), &format!("the manifest has no `{field}`"));
        }
        expect((1..=5).contains(&count("keywords")), "the manifest needs one to five keywords");
        expect((1..=5).contains(&count("categories")), "the manifest needs one to five categories");
        for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            expect(self.folder.join(file).is_file(), &format!("no {file}"));
        }
        // Cargo strips a dependency for tests that names no version; with one, two crates that test
        // each other could never be published.
        for dependency in self.dependencies().filter(|dependency| dependency["kind"] == "dev") {
            let name = dependency["name"].as_str().unwrap_or_default();
            expect(
                dependency["req"] == "*",
                &format!("the dependency for tests `{name}` names a version: give its path alone"),
            );
        }
        wrong
    }

    /// The archive's name without its ending, which is also the folder in it.
    fn archive(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// All libraries that are published.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let metadata = output_of(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let mut metadata: Value = serde_json::from_str(&metadata)?;
    let all = metadata["packages"].as_array_mut().ok_or("cargo tells no packages")?;
    let published = std::mem::take(all).into_iter().filter(|package| package["publish"].is_null());
    published
        .map(|manifest| {
            let text = |field: &str| -> Result<String> {
                Ok(manifest[field]
                    .as_str()
                    .ok_or("cargo tells too little of a package")?
                    .to_owned())
            };
            let mut folder = PathBuf::from(text("manifest_path")?);
            folder.pop();
            Ok(Package { name: text("name")?, version: text("version")?, folder, manifest })
        })
        .collect()
}

/// Each behind those that it needs.
fn in_order(mut packages: Vec<Package>) -> Result<Vec<Package>> {
    let mut ordered: Vec<Package> = Vec::new();
    while !packages.is_empty() {
        let is_ready = |package: &Package| {
            package.needs().all(|needed| ordered.iter().any(|other| other.name == needed))
        };
        let Some(next) = packages.iter().position(is_ready) else {
            let names: Vec<&str> = packages.iter().map(|package| &*package.name).collect();
            return Err(format!("these need each other: {}", names.join(", ")).into());
        };
        ordered.push(packages.remove(next));
    }
    Ok(ordered)
}

/// Packs all, and looks at what is in the archives.
fn pack(packages: &[Package]) -> Result<()> {
    let names = packages.iter().flat_map(|package| ["--package", &package.name]);
    // The application of `try_as_a_user` builds them; what is not committed yet may be tried, too.
    run(cargo()
        .args(["package", "--no-verify", "--allow-dirty", "--target-dir"])
        .arg(target())
        .args(names))?;
    let unpacked = target().join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir_all(&unpacked)?;
    for package in packages {
        let archive = target().join("package").join(format!("{}.crate", package.archive()));
        run(program("tar").arg("-xzf").arg(archive).arg("-C").arg(&unpacked))?;
        look_into(package, &unpacked.join(package.archive()))?;
    }
    Ok(())
}

/// What a packed crate must have, and must not have.
fn look_into(package: &Package, folder: &Path) -> Result<()> {
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"] {
        if !folder.join(file).is_file() {
            return Err(format!("the package {} has no {file}", package.name).into());
        }
    }
    if folder.join("tests").exists() {
        return Err(format!("the package {} brings its tests", package.name).into());
    }
    if package.name == "socketio-client-files" {
        for bundle in ["dist/v2", "dist/v4"] {
            let is_empty =
                fs::read_dir(folder.join(bundle)).map_or(true, |mut files| files.next().is_none());
            if is_empty {
                return Err(format!("the package {} has no files in {bundle}", package.name).into());
            }
        }
    }
    Ok(())
}

/// A fresh application, as `cargo new` makes it, with the program of the README, built against the
/// packed crates.
fn try_as_a_user(packages: &[Package]) -> Result<()> {
    let application = target().join("application");
    if application.exists() {
        fs::remove_dir_all(&application)?;
    }
    fs::create_dir_all(application.join("src"))?;
    let readme = fs::read_to_string(root().join("README.md"))?;
    fs::write(application.join("src/main.rs"), first_program(&readme)?)?;
    let patches: BTreeMap<&str, PathBuf> = packages
        .iter()
        .map(|package| (&*package.name, target().join("unpacked").join(package.archive())))
        .collect();
    fs::write(application.join("Cargo.toml"), manifest(packages, &patches))?;
    // The versions that were tested; what is not needed is left out of it.
    fs::copy(root().join("Cargo.lock"), application.join("Cargo.lock"))?;
    run(cargo()
        .arg("build")
        .current_dir(&application)
        .env("CARGO_TARGET_DIR", target().join("built")))
}

/// All of the crates with all of their features, and the packed files in the place of the registry's.
fn manifest(packages: &[Package], patches: &BTreeMap<&str, PathBuf>) -> String {
    let mut text = "[package]\nname = \"application\"\nedition = \"2024\"\n\n[dependencies]\n\
                    tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }\n"
        .to_owned();
    for package in packages {
        let features: Vec<&String> = package.manifest["features"]
            .as_object()
            .map(|features| features.keys().collect())
            .unwrap_or_default();
        let (name, version) = (&package.name, &package.version);
        text += &format!("{name} = {{ version = \"{version}\", features = {features:?} }}\n");
    }
    text += "\n[patch.crates-io]\n";
    for (name, folder) in patches {
        text += &format!("{name} = {{ path = {folder:?} }}\n");
    }
    // It stands below our own folders and is no member of the workspace.
    text + "\n[workspace]\n"
}

/// The first piece of Rust in a document.
fn first_program(document: &str) -> Result<&str> {
    let (_, behind) = document.split_once("```rust").ok_or("no program in the README")?;
    let (_, behind) = behind.split_once('\n').ok_or("no program in the README")?;
    let (program, _) = behind.split_once("```").ok_or("the program of the README has no end")?;
    Ok(program)
}

fn target() -> PathBuf {
    root().join("target/publish")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependencies: &Value) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            folder: root().join("crates/socketio-server"),
            manifest: json!({
                "description": "", "license": "", "repository": "", "readme": "README.md",
                "rust_version": "1.85", "keywords": ["a"], "categories": ["b"],
                "dependencies": dependencies,
            }),
        }
    }

    fn needing(name: &str, others: &[&str]) -> Package {
        let dependencies =
            others.iter().map(|other| json!({ "name": other, "path": "/", "kind": null }));
        package(name, &dependencies.collect())
    }

    #[test]
    fn what_is_needed_comes_first() {
        let packages =
            vec![needing("roof", &["wall"]), needing("wall", &["ground"]), needing("ground", &[])];
        let ordered = in_order(packages).unwrap();
        let names: Vec<&str> = ordered.iter().map(|package| &*package.name).collect();
        assert_eq!(names, ["ground", "wall", "roof"]);
        let error = in_order(vec![needing("a", &["b"]), needing("b", &["a"])]).unwrap_err();
        assert_eq!(error.to_string(), "these need each other: a, b");
    }

    #[test]
    fn a_manifest_that_lacks_something() {
        assert_eq!(package("a", &json!([])).complaints(), [] as [&str; 0]);
        let mut bare = package("a", &json!([]));
        bare.manifest["keywords"] = json!([]);
        bare.manifest["description"] = Value::Null;
        assert_eq!(
            bare.complaints(),
            ["a: the manifest has no `description`", "a: the manifest needs one to five keywords"]
        );
        let dev = |req: &str| json!([{ "name": "b", "path": "/", "kind": "dev", "req": req }]);
        assert_eq!(package("a", &dev("*")).complaints(), [] as [&str; 0]);
        assert_eq!(
            package("a", &dev("^1.0")).complaints(),
            ["a: the dependency for tests `b` names a version: give its path alone"]
        );
    }

    #[test]
    fn the_first_program_of_a_document() {
        let document = "text\n```rust,no_run\nfn main() {}\n```\n```rust\nother\n```";
        assert_eq!(first_program(document).unwrap(), "fn main() {}\n");
        assert!(first_program("```sh\nls\n```").is_err());
    }
}
