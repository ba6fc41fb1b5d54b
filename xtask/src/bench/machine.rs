//! What is measured on.

use std::fs;
use std::thread;

use super::processes::Cores;
use crate::command::{find, output_of, program};

/// One line, for the head of the tables.
pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown CPU", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = |name: &str| said(name, "--version");
    let mut parts = vec![
        said("date", "+%F"),
        format!("{model}, {} cores", cores()),
        format!("Linux {}", kernel.trim()),
        version("rustc"),
    ];
    if find("node").is_some() {
        parts.push(format!("Node {}", version("node")));
    }
    parts.join("; ")
}

/// Server and load each get a core, if that can be had; else the reason is said.
pub(crate) fn cores_apart() -> Cores {
    let problem = if find("taskset").is_none() {
        "`taskset` is missing"
    } else if cores() < 2 {
        "there is one core"
    } else {
        return Cores::Apart;
    };
    println!("bench: {problem}, so server and load share what there is: trust no figure");
    Cores::Anywhere
}

/// How many files a process may have open.
pub(crate) fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|line| line.split_whitespace().next())
        // "unlimited", or not Linux: then nothing is known to be in the way.
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(usize::MAX)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn said(name: &str, argument: &str) -> String {
    let output = output_of(program(name).arg(argument));
    output.map_or_else(|_| format!("{name} unknown"), |output| output.trim().to_owned())
}
