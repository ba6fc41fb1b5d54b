//! `cargo xtask instructions`: what the hot paths cost in instructions, counted by valgrind and
//! compared with the committed baseline. The cases are in `bench/instructions`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use crate::command::{Result, cargo, find, output_of, program, root, run, target};

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let Options { bless, only } = Options::from_arguments(arguments)?;
    if find("valgrind").is_none() {
        return Err("instructions are counted by valgrind, which is not installed (on Debian: \
                    apt-get install valgrind)"
            .into());
    }
    let folder = root().join("bench/instructions");
    let baseline = folder.join("baseline.txt");
    let mut known = Baseline::parse(&fs::read_to_string(&baseline).unwrap_or_default());
    let machine = machine()?;
    if !known.machine.is_empty() && known.machine != machine {
        println!(
            "the baseline is of {}, this is {machine}: not all changes are ours",
            known.machine
        );
    }
    run(cargo().args(["build", "--profile", "instructions", "--package", "instructions"]))?;
    let counter = Counter::new()?;

    println!("{:<34} {:>12} {:>12}", "case", "instructions", "baseline");
    let (mut counted, mut failed) = (Vec::new(), 0);
    for (name, times) in counter.cases()? {
        if !name.contains(&only) {
            continue;
        }
        let now = counter.count(&name, times)?;
        let then = known.find(&name);
        let (change, is_failure) = judge(then, now);
        failed += usize::from(is_failure);
        let then = then.map_or_else(String::new, |then| then.to_string());
        println!("{}", format!("{name:<34} {now:>12} {then:>12}  {change}").trim_end());
        counted.push((name, now));
    }
    if counted.is_empty() {
        return Err(format!("no case has {only:?} in its name").into());
    }
    if only.is_empty() {
        for (name, _) in known.keep_only(&counted) {
            failed += 1;
            println!("{name:<34} is in the baseline, but there is no such case");
        }
    }
    println!("profiles: {}/*.out, for callgrind_annotate", counter.profiles.display());
    if bless {
        known.machine = machine;
        known.update(counted);
        fs::write(&baseline, known.to_text())?;
        println!("the baseline is written");
        return Ok(ExitCode::SUCCESS);
    }
    if failed > 0 {
        println!("{failed} failed; what is meant so is recorded by --bless");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Default, PartialEq)]
struct Options {
    /// Write the baseline instead of failing.
    bless: bool,
    /// What is in the names of the cases to be counted.
    only: String,
}

impl Options {
    fn from_arguments(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bless" => options.bless = true,
                "--only" => options.only = arguments.next().ok_or("--only what?")?.clone(),
                other => return Err(format!("instructions: no argument `{other}`").into()),
            }
        }
        Ok(options)
    }
}

/// Runs the cases under valgrind.
struct Counter {
    binary: PathBuf,
    profiles: PathBuf,
}

impl Counter {
    fn new() -> Result<Self> {
        let folder = target()?.join("instructions");
        let profiles = folder.join("profiles");
        fs::create_dir_all(&profiles)?;
        Ok(Self { binary: folder.join("instructions"), profiles })
    }

    /// The names of the cases, and how often the shorter run does each.
    fn cases(&self) -> Result<Vec<(String, u64)>> {
        let list = output_of(program(&self.binary).arg("--list"))?;
        list.lines()
            .map(|line| {
                let (name, times) = line.split_once(' ').ok_or("a case without a count")?;
                Ok((name.to_owned(), times.parse()?))
            })
            .collect()
    }

    /// Instructions of a case: the difference of two runs, so that what both do is not in it.
    fn count(&self, name: &str, times: u64) -> Result<u64> {
        let short = self.total(name, times)?;
        let long = self.total(name, 2 * times)?;
        Ok(long.saturating_sub(short) / times)
    }

    /// Instructions of a whole run. The profile of the last one stays.
    fn total(&self, name: &str, times: u64) -> Result<u64> {
        let out = self.profiles.join(format!("{}.out", name.replace('/', ".")));
        let mut valgrind = program("valgrind");
        valgrind
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&self.binary)
            .args([name, &times.to_string()])
            .stdout(Stdio::null());
        let output = valgrind.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name} failed under valgrind:\n{said}").into());
        }
        total_of(&out)
    }
}

/// The sum of all that a profile of callgrind holds.
fn total_of(profile: &Path) -> Result<u64> {
    let text = fs::read_to_string(profile)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or_else(|| format!("no totals in {}", profile.display()))?.trim().parse()?)
}

/// The compiler and the machine that it compiles for, on which the counts depend.
fn machine() -> Result<String> {
    let version = output_of(program("rustc").arg("-vV"))?;
    let of = |key| version.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown");
    Ok(format!("rustc {}, {}", of("release: "), of("host: ")))
}

/// What is said of a change, and whether it is a failure.
fn judge(then: Option<u64>, now: u64) -> (String, bool) {
    let Some(then) = then else { return ("new".to_owned(), true) };
    let change = (now as f64 - then as f64) / then.max(1) as f64 * 100.0;
    let is_failure = change > WORSE;
    let text = match change {
        _ if is_failure => format!("{change:+.1} %  FAILED"),
        _ if change.abs() > NOTABLE => format!("{change:+.1} %"),
        _ => String::new(),
    };
    (text, is_failure)
}

/// The committed counts.
#[derive(Debug, Default, PartialEq)]
struct Baseline {
    machine: String,
    counts: Vec<(String, u64)>,
}

impl Baseline {
    fn parse(text: &str) -> Self {
        let machine = text.lines().find_map(|line| line.strip_prefix(MACHINE));
        let counts = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        });
        Self { machine: machine.unwrap_or_default().to_owned(), counts: counts.collect() }
    }

    fn to_text(&self) -> String {
        let mut text =
            "# Instructions of each case; `cargo xtask instructions --bless` writes it.\n"
                .to_owned();
        text += &format!("{MACHINE}{}\n", self.machine);
        for (name, count) in &self.counts {
            text += &format!("{name} {count}\n");
        }
        text
    }

    fn find(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|count| count.0 == name).map(|count| count.1)
    }

    /// Removes and gives what is not among these.
    fn keep_only(&mut self, counts: &[(String, u64)]) -> Vec<(String, u64)> {
        let is_there = |name: &str| counts.iter().any(|count| count.0 == name);
        let (kept, gone) =
            std::mem::take(&mut self.counts).into_iter().partition(|count| is_there(&count.0));
        self.counts = kept;
        gone
    }

    /// Replaces counts, and adds new ones at the end.
    fn update(&mut self, counts: Vec<(String, u64)>) {
        for (name, count) in counts {
            match self.counts.iter_mut().find(|old| old.0 == name) {
                Some(old) => old.1 = count,
                None => self.counts.push((name, count)),
            }
        }
    }
}

/// What stands in front of the compiler and the machine.
const MACHINE: &str = "# counted with ";

/// Percent from which on a change is shown: above the noise, see the README of the cases.
const NOTABLE: f64 = 3.0;

/// Percent from which on more instructions are a failure.
const WORSE: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        assert_eq!(judge(Some(1_000), 1_030), (String::new(), false));
        assert_eq!(judge(Some(1_000), 1_040), ("+4.0 %".to_owned(), false));
        assert_eq!(judge(Some(1_000), 500), ("-50.0 %".to_owned(), false));
        assert_eq!(judge(Some(1_000), 1_101), ("+10.1 %  FAILED".to_owned(), true));
        assert_eq!(judge(None, 1), ("new".to_owned(), true));
    }

    #[test]
    fn a_baseline_is_read_as_written() {
        let counts = vec![("a/b".to_owned(), 7), ("c".to_owned(), 8)];
        let mut baseline = Baseline { machine: "rustc 1.0.0, somewhere".to_owned(), counts };
        assert_eq!(Baseline::parse(&baseline.to_text()), baseline);
        assert_eq!(baseline.keep_only(&[("c".to_owned(), 9)]), [("a/b".to_owned(), 7)]);
        baseline.update(vec![("c".to_owned(), 9), ("d".to_owned(), 1)]);
        assert_eq!(baseline.counts, [("c".to_owned(), 9), ("d".to_owned(), 1)]);
    }
}
