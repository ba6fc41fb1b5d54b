//! `cargo xtask node`: the addon for Node.js, the tests of its JavaScript, and the conformance suite
//! against a fixture that is a program for it.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::{Result, cargo, find, program, root, run, tally, target};
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--build"] => {
            build(Profile::Release)?;
            println!("{}", package().display());
            Ok(ExitCode::SUCCESS)
        }
        ["--pack"] => {
            pack()?;
            Ok(ExitCode::SUCCESS)
        }
        ["--release"] => Ok(report(Profile::Release, true)),
        [] => Ok(report(Profile::Debug, true)),
        ref other => Err(format!("--build, --pack, --release or nothing, not {other:?}").into()),
    }
}

fn report(profile: Profile, all: bool) -> ExitCode {
    let mut report = Report::default();
    test(&mut report, profile, all);
    report.finish()
}

/// Builds the addon, and runs what tries it; without `all`, a part of the conformance suite, which
/// [`crate::conformance`] runs against the server in Rust as a whole.
pub(crate) fn test(report: &mut Report, profile: Profile, all: bool) {
    report.check("node addon", || build(profile));
    report.tests("node", layer);
    report.tests("node conformance", || conformance(all));
}

/// How the addon is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Where the JavaScript is.
fn package() -> PathBuf {
    root().join("packages/socketio-rs")
}

/// Builds the addon and puts it beside its JavaScript.
pub(crate) fn build(profile: Profile) -> Result<()> {
    // for pages of programs that do not have socket.io-client installed
    if let Err(error) = setup::client_files() {
        println!("the addon is built without the client's files: {error}");
    }
    let mut build = cargo();
    build.args(["build", "--package", "socketio-node"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    run(&mut build)?;
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    let library = format!("{}socketio_node{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let built = target()?.join(folder).join(library);
    let addon = package().join("socketio-rs.node");
    // a new file: one that a program has loaded must not change under it
    let fresh = addon.with_extension("node.new");
    fs::copy(&built, &fresh)?;
    fs::rename(&fresh, &addon)?;
    Ok(())
}

/// The tests of the JavaScript.
fn layer() -> Result<Tally> {
    if find("node").is_none() {
        return Err("Node.js is not there: its addon was not tried".into());
    }
    setup::conformance()?;
    tally(program("node").arg(package().join("test/run.js")))
}

fn conformance(all: bool) -> Result<Tally> {
    let mut suite = program("node");
    suite
        .args(["run.js", "--skips", "skips-node.json"])
        .args(["--server", "node --no-deprecation reference/server.js"])
        .env("SIO_REF", "socketio-rs")
        .current_dir(root().join("conformance"));
    if !all {
        suite.args(["--client", "sioc-4.8.4", "--transport", "websocket"]);
    }
    tally(&mut suite)
}

/// Makes the npm packages: that of this platform, with the addon, and the one with the JavaScript.
fn pack() -> Result<()> {
    build(Profile::Release)?;
    let out = target()?.join("npm");
    fs::create_dir_all(&out)?;
    let name = platform()?;
    let folder = out.join(&name);
    fs::create_dir_all(&folder)?;
    fs::copy(package().join("socketio-rs.node"), folder.join("socketio-rs.node"))?;
    fs::write(folder.join("package.json"), manifest(&name)?)?;
    let readme = format!("The addon of `socketio-rs` for one platform, `{name}`.\n");
    fs::write(folder.join("README.md"), readme)?;
    for folder in [folder, package()] {
        run(program("npm").args(["pack", "--pack-destination"]).arg(&out).current_dir(folder))?;
    }
    println!("{}", out.display());
    Ok(())
}

/// The name of the package for the platform that this is.
fn platform() -> Result<String> {
    let arch = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(format!("no package for {other}").into()),
    };
    match env::consts::OS {
        "macos" => Ok(format!("socketio-rs-darwin-{arch}")),
        "linux" if cfg!(target_env = "musl") => Ok(format!("socketio-rs-linux-{arch}-musl")),
        "linux" => Ok(format!("socketio-rs-linux-{arch}-gnu")),
        other => Err(format!("no package for {other}").into()),
    }
}

/// The manifest of a platform's package: of the version of the one that asks for it.
fn manifest(name: &str) -> Result<String> {
    let main = fs::read_to_string(package().join("package.json"))?;
    let main: serde_json::Value = serde_json::from_str(&main)?;
    let words: Vec<&str> = name.split('-').collect();
    let mut manifest = serde_json::json!({
        "name": name,
        "version": main["version"],
        "description": "The addon of socketio-rs for one platform",
        "license": main["license"],
        "repository": main["repository"],
        "main": "socketio-rs.node",
        "files": ["socketio-rs.node"],
        "os": [words[2]],
        "cpu": [words[3]],
        "engines": main["engines"],
    });
    if let Some(libc) = words.get(4) {
        let libc = if *libc == "gnu" { "glibc" } else { libc };
        manifest["libc"] = serde_json::json!([libc]);
    }
    Ok(format!("{manifest:#}\n"))
}
