//! `cargo xtask setup`: fetches what Rust does not bring. A part does nothing when its things are
//! there; else it gets them and gives their name, for the list at the end.
//!
//! npm packages come at the versions and with the hashes of the committed lock files, and none of
//! their install scripts run. Nothing is installed outside the repository but Debian's Chromium
//! and Redis, and these only for root: a contributor's own machine is left alone.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::command::{Result, find, output_of, program, root, run};

/// Whether the browser's part of a command is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    Use,
    Skip,
}

impl Browser {
    /// Reads the arguments of a command whose only flag is `--skip-browser`.
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self> {
        match arguments {
            [] => Ok(Self::Use),
            [flag] if flag == "--skip-browser" => Ok(Self::Skip),
            other => Err(format!("the only argument is --skip-browser, not {other:?}").into()),
        }
    }
}

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    everything(Browser::from_arguments(arguments)?)?;
    Ok(ExitCode::SUCCESS)
}

/// All parts, and at the end the list of what was installed.
pub(crate) fn everything(browser: Browser) -> Result<()> {
    let mut parts = vec![client_files()?, conformance()?, cluster()?, redis()?];
    if browser == Browser::Use {
        parts.push(driver()?);
        parts.push(chromium()?);
    }
    let installed: Vec<String> = parts.into_iter().flatten().collect();
    if installed.is_empty() {
        println!("setup: everything was there already");
    } else {
        println!("setup: installed:");
    }
    for what in installed {
        println!("  {what}");
    }
    Ok(())
}

/// The files that a server hands to browsers, for the crate `socketio-client-files` to embed.
pub(crate) fn client_files() -> Result<Option<String>> {
    let crate_folder = root().join("crates/socketio-client-files");
    let lock = fs::read(crate_folder.join("package-lock.json"))?;
    // The stamp is written last: with it, the files are all there and of the pinned versions.
    let stamp = crate_folder.join("dist/package-lock.json");
    if fs::read(&stamp).is_ok_and(|stamp| stamp == lock) {
        return Ok(None);
    }
    npm_ci(&crate_folder)?;
    // Nothing of other versions stays behind.
    if crate_folder.join("dist").exists() {
        fs::remove_dir_all(crate_folder.join("dist"))?;
    }
    let mut versions = Vec::new();
    for (major, files) in CLIENT_FILES {
        let package = crate_folder.join("node_modules").join(major);
        let target = crate_folder.join("dist").join(major);
        fs::create_dir_all(&target)?;
        for file in files {
            copy(&package.join("dist").join(file), &target.join(file))?;
        }
        copy(&package.join("LICENSE"), &target.join("LICENSE"))?;
        let version = version_of(&package)?;
        fs::write(target.join("VERSION"), &version)?;
        versions.push(version);
    }
    fs::write(stamp, lock)?;
    Ok(Some(format!("the browser files of socket.io-client {}", versions.join(" and "))))
}

/// The official clients, for the conformance run.
pub(crate) fn conformance() -> Result<Option<String>> {
    npm_install(&root().join("conformance"), "the clients of the conformance run")
}

/// The WebSocket library of the abuse run.
pub(crate) fn abuse() -> Result<Option<String>> {
    npm_install(&root().join("conformance/abuse"), "the clients of the abuse run")
}

/// The Node servers that ours is compared with.
pub(crate) fn bench() -> Result<()> {
    // They may have been installed before Node was removed.
    require_node()?;
    for (name, what) in [("node4", "the server of socket.io 4"), ("node2", "that of 2.0.4")] {
        npm_install(&root().join("bench").join(name), what)?;
    }
    Ok(())
}

/// The Node server that our cluster is compared with.
pub(crate) fn bench_cluster() -> Result<()> {
    require_node()?;
    npm_install(&root().join("bench/node4-redis"), "the server of socket.io 4 with Redis")?;
    Ok(())
}

/// The Node servers and emitters of the cluster run.
pub(crate) fn cluster() -> Result<Option<String>> {
    npm_install(&root().join("conformance/cluster"), "the Node servers of the cluster run")
}

/// The broker of the cluster run.
pub(crate) fn redis() -> Result<Option<String>> {
    if find("redis-server").is_some() || std::env::var_os("REDIS_SERVER").is_some() {
        return Ok(None);
    }
    if !can_install() {
        return Err(
            "Redis is missing: install it so that `redis-server` is on the PATH (on Debian \
                    `apt-get install redis-server`), or set REDIS_SERVER"
                .into(),
        );
    }
    run(program("apt-get").args(["--quiet", "update"]))?;
    run(program("apt-get")
        .args(["--quiet", "--yes", "--no-install-recommends", "install", "redis-server"])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(Some("Debian's package redis-server".into()))
}

/// Whether packages of Debian can be installed: only by root.
fn can_install() -> bool {
    let is_root = || output_of(program("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    find("apt-get").is_some() && is_root()
}

/// The library that drives the browser.
pub(crate) fn driver() -> Result<Option<String>> {
    npm_install(&root().join("conformance/browser"), "the driver of the browser run")
}

/// The browser itself.
pub(crate) fn chromium() -> Result<Option<String>> {
    if find("chromium").is_some() {
        return Ok(None);
    }
    if !can_install() {
        return Err(
            "Chromium is missing: install it so that `chromium` is on the PATH (on Debian \
                    `apt-get install chromium`), or give --skip-browser"
                .into(),
        );
    }
    run(program("apt-get").args(["--quiet", "update"]))?;
    run(program("apt-get")
        .args(["--quiet", "--yes", "--no-install-recommends", "install"])
        // Without any font the screenshots show no text.
        .args(["chromium", "fonts-liberation"])
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(Some("Debian's packages chromium and fonts-liberation".into()))
}

/// Installs the packages of a folder's lock file, unless they are there.
fn npm_install(folder: &Path, what: &str) -> Result<Option<String>> {
    let lock = fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|stamp| stamp == lock) {
        return Ok(None);
    }
    npm_ci(folder)?;
    fs::write(stamp, lock)?;
    Ok(Some(what.into()))
}

fn npm_ci(folder: &Path) -> Result<()> {
    require_node()?;
    let flags = ["--ignore-scripts", "--no-audit", "--no-fund"];
    run(program("npm").arg("ci").args(flags).current_dir(folder))
}

fn require_node() -> Result<()> {
    if find("node").is_none() || find("npm").is_none() {
        return Err("Node.js is missing: install version 18 or later, with npm".into());
    }
    let version = output_of(program("node").arg("--version"))?;
    let version = version.trim();
    let major = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok());
    if major.is_none_or(|major: u32| major < 18) {
        return Err(format!("Node.js {version} is too old: install version 18 or later").into());
    }
    Ok(())
}

fn version_of(package: &Path) -> Result<String> {
    let script = "process.stdout.write(require('./package.json').version)";
    output_of(program("node").args(["--eval", script]).current_dir(package))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(|error| format!("cannot copy {}: {error}", from.display()))?;
    Ok(())
}

/// What is taken from each release of socket.io-client, by its name in `package.json`.
const CLIENT_FILES: [(&str, &[&str]); 2] = [
    (
        "v4",
        &[
            "socket.io.js",
            "socket.io.js.map",
            "socket.io.min.js",
            "socket.io.min.js.map",
            "socket.io.esm.min.js",
            "socket.io.esm.min.js.map",
            "socket.io.msgpack.min.js",
            "socket.io.msgpack.min.js.map",
        ],
    ),
    ("v2", &["socket.io.js", "socket.io.js.map", "socket.io.slim.js", "socket.io.slim.js.map"]),
];
