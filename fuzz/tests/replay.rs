//! The seeds, each given to its target once.

use std::fs;
use std::path::Path;

use socketio_fuzz::seeds;

/// Runs a target on the empty input and on all of its seeds.
#[track_caller]
fn replay(name: &str) {
    let (_, target) = socketio_fuzz::TARGETS.into_iter().find(|(other, _)| *other == name).unwrap();
    target(&[]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut seeds: Vec<_> =
        fs::read_dir(folder).unwrap().map(|seed| seed.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds for {name}");
    for seed in seeds {
        // shown if it fails
        println!("{}", seed.display());
        target(&fs::read(seed).unwrap());
    }
    let more = match name {
        "http3" => seeds::http3(),
        "http3_control" => seeds::http3_control(),
        "qpack" => seeds::qpack(),
        _ => Vec::new(),
    };
    for seed in more {
        println!("{seed:?}");
        target(&seed);
    }
}

macro_rules! replay {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names = socketio_fuzz::TARGETS.map(|(name, _)| name);
            assert_eq!(names.as_slice(), [$(stringify!($name)),*]);
        }
    };
}

replay! {
    packets payload jsonp handshake websocket deflate json msgpack session recovery rooms server http3
    http3_control qpack
}
