//! `cargo xtask setup`: fetches what Rust does not bring. A part does nothing when its things are
//! there; else it gets them and gives their name, for the list at the end.
//!
//! npm packages come at the versions and with the hashes of the committed lock files, and none of
//! their install scripts run; PyPI's come into environments below `target`, with hashes, too. Nothing is
//! installed outside the repository but Debian's Chromium, nginx and Redis, and these only for root: a
//! contributor's own machine is left alone.

use std::fs;
use std::path::{Path, PathBuf};
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
    let mut parts =
        vec![client_files()?, conformance()?, python()?, nginx()?, cluster()?, redis()?];
    parts.extend([contract()?, whiteboard()?, webtransport()?, nosticky()?, haproxy()?]);
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

/// The compilers and parsers of the contract run.
pub(crate) fn contract() -> Result<Option<String>> {
    npm_install(&root().join("conformance/contract"), "the compilers of the contract run")
}

/// The page of the example `typed`, built by Vite.
pub(crate) fn whiteboard() -> Result<Option<String>> {
    let folder = root().join("examples/typed/page");
    let installed = npm_install(&folder, "the tools of the whiteboard's page")?;
    // Quick, so it is built each time: what it is made of is many files.
    run(program("npm").args(["run", "--silent", "build"]).current_dir(folder))?;
    Ok(installed)
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

/// The server on Bun that ours is compared with.
pub(crate) fn bench_bun() -> Result<()> {
    npm_install(&root().join("bench/bun"), "the server on Bun")?;
    match bun().is_file() {
        true => Ok(()),
        false => Err("npm has brought no program for this machine".into()),
    }
}

/// Bun, as npm brings it: a package for each machine has the program in it.
pub(crate) fn bun() -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x64" };
    root().join(format!("bench/bun/node_modules/@oven/bun-linux-{machine}/bin/bun"))
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
    debian(&["redis-server"], "Redis", "so that `redis-server` is on the PATH, or set REDIS_SERVER")
}

/// The proxy of the proxies run.
pub(crate) fn nginx() -> Result<Option<String>> {
    if nginx_program().is_some() {
        return Ok(None);
    }
    debian(&["nginx"], "nginx", "so that `nginx` is on the PATH")
}

/// The clients of the run without sticky sessions.
pub(crate) fn nosticky() -> Result<Option<String>> {
    npm_install(
        &root().join("conformance/nosticky"),
        "the clients of the run without sticky sessions",
    )
}

/// The other balancer of the run without sticky sessions.
pub(crate) fn haproxy() -> Result<Option<String>> {
    if administrators("haproxy").is_some() {
        return Ok(None);
    }
    debian(&["haproxy"], "HAProxy", "so that `haproxy` is on the PATH")
}

pub(crate) fn nginx_program() -> Option<PathBuf> {
    administrators("nginx")
}

/// Debian's are where the programs of administrators are, which may be on nobody else's path.
fn administrators(name: &str) -> Option<PathBuf> {
    let at = Path::new("/usr/sbin").join(name);
    find(name).or_else(|| Some(at).filter(|path| path.is_file()))
}

/// Installs packages of Debian, or says what is missing: only root may install.
fn debian(packages: &[&str], what: &str, how: &str) -> Result<Option<String>> {
    let is_root = || output_of(program("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let names = packages.join(" ");
    if find("apt-get").is_none() || !is_root() {
        return Err(format!(
            "{what} is missing: install it {how} (on Debian `apt-get install {names}`)"
        )
        .into());
    }
    run(program("apt-get").args(["--quiet", "update"]))?;
    run(program("apt-get")
        .args(["--quiet", "--yes", "--no-install-recommends", "install"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(Some(format!("of Debian: {names}")))
}

/// The versions of python-socketio that the clients run has, each in an environment of its own: both are
/// the module `socketio`.
pub(crate) const PYTHON_CLIENTS: [&str; 2] = ["4", "5"];

/// The Python that has one version of python-socketio.
pub(crate) fn python_of(version: &str) -> PathBuf {
    python_folder(version).join("bin/python")
}

fn python_folder(version: &str) -> PathBuf {
    root().join("target/clients").join(format!("python-socketio-{version}"))
}

/// The Python clients of the clients run.
pub(crate) fn python() -> Result<Option<String>> {
    let mut installed = None;
    for version in PYTHON_CLIENTS {
        let list = format!("conformance/clients/python/requirements-{version}.txt");
        if python_environment(&python_folder(version), &list)? {
            installed = Some("python-socketio 4 and 5, for the clients run".into());
        }
    }
    Ok(installed)
}

/// The Python that has aioquic.
pub(crate) fn webtransport_python() -> PathBuf {
    aioquic_folder().join("bin/python")
}

fn aioquic_folder() -> PathBuf {
    root().join("target/webtransport/aioquic")
}

/// What the WebTransport run has: the official client, the driver of the browser, and QUIC by aioquic,
/// which shares no code with ours.
pub(crate) fn webtransport() -> Result<Option<String>> {
    let folder = root().join("conformance/webtransport");
    let clients = npm_install(&folder, "the clients of the WebTransport run")?;
    let list = "conformance/webtransport/requirements.txt";
    let python = python_environment(&aioquic_folder(), list)?;
    Ok(clients.or_else(|| python.then(|| "aioquic, for the WebTransport run".into())))
}

/// An environment of Python with what a list says; false if it was there already.
fn python_environment(folder: &Path, list: &str) -> Result<bool> {
    let lock = fs::read(root().join(list))?;
    let stamp = folder.join("installed-requirements.txt");
    if fs::read(&stamp).is_ok_and(|stamp| stamp == lock) {
        return Ok(false);
    }
    if find("python3").is_none() {
        return Err("Python is missing: install version 3.11 or later, with venv".into());
    }
    // Nothing of other versions stays behind.
    run(program("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    run(program(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--requirement", list]))?;
    fs::write(stamp, lock)?;
    Ok(true)
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
    // Without any font the screenshots show no text.
    let packages = ["chromium", "fonts-liberation"];
    debian(&packages, "Chromium", "so that `chromium` is on the PATH, or give --skip-browser")
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
