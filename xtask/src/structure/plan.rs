//! The drawing: storeys, circles and dependencies of the libraries.

/// What was drawn of a crate. A file, or all of a folder, is named by its path below `src`.
pub(super) struct Plan {
    pub(super) name: &'static str,
    /// Its folder in `crates/`.
    pub(super) folder: &'static str,
    /// From the top: a file names those of its own storey and of those below.
    pub(super) storeys: &'static [&'static [&'static str]],
    /// Files that may name each other in a loop.
    pub(super) circles: &'static [&'static [&'static str]],
    /// Crates of ours.
    pub(super) depends_on: &'static [&'static str],
}

impl Plan {
    /// The number of a file's storey, the top one's is 0. The longest entry counts.
    pub(super) fn storey_of(&self, file: &str) -> Option<usize> {
        let entries = self.storeys.iter().enumerate().flat_map(|(storey, entries)| {
            entries
                .iter()
                .filter(|entry| is_below(entry, file))
                .map(move |entry| (entry.len(), storey))
        });
        entries.max_by_key(|(length, _)| *length).map(|(_, storey)| storey)
    }
}

/// Whether an entry names a file, or a folder that it is in.
pub(super) fn is_below(entry: &str, file: &str) -> bool {
    file.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) const PLANS: &[Plan] = &[
    Plan {
        name: "engineio",
        folder: "engineio",
        storeys: &[],
        circles: &[],
        depends_on: &["engineio-proto"],
    },
    Plan {
        name: "engineio-proto",
        folder: "engineio-proto",
        storeys: &[],
        circles: &[],
        depends_on: &[],
    },
    Plan { name: "socketio", folder: "socketio", storeys: &[], circles: &[], depends_on: &[] },
    Plan {
        name: "socketio-parser",
        folder: "socketio-parser",
        storeys: &[],
        circles: &[],
        depends_on: &[],
    },
    Plan {
        name: "socketio-adapter",
        folder: "socketio-adapter",
        storeys: &[],
        circles: &[],
        depends_on: &[],
    },
    Plan {
        name: "socketio-redis",
        folder: "socketio-redis",
        storeys: &[],
        circles: &[],
        depends_on: &[],
    },
];
