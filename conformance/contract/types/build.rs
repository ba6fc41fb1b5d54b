//! Puts what `generate.js` wrote where the program includes it. Without it, as in any build of the
//! whole workspace, the program has no types.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=CONTRACT_TYPES");
    let target = Path::new(&env::var_os("OUT_DIR").expect("set by cargo")).join("types.rs");
    match env::var_os("CONTRACT_TYPES") {
        Some(file) => {
            println!("cargo::rerun-if-changed={}", Path::new(&file).display());
            fs::copy(file, target).expect("what generate.js wrote");
        }
        None => fs::write(target, NONE).expect("a folder of cargo"),
    }
}

const NONE: &str = "const RUNS: &[Run] = &[];
#[contract]
mod generated {
    pub(super) trait ToClient {}
}
";
