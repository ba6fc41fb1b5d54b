//! The browser files of the official Socket.IO client, embedded for a server to serve them.
//!
//! The files are those of the npm package [`socket.io-client`], unchanged: release 4.8, which speaks
//! the current protocol, and release 2.5 for pages of old. They are not part of this repository:
//! `cargo xtask setup` fetches them at pinned versions before the crate is built or published.
//! Without them the crate builds all the same, and its bundles are empty.
//!
//! This crate knows no HTTP and reads nothing at run time; a file is found by its exact name only.
//!
//! ```
//! use socketio_client_files::Bundle;
//!
//! match Bundle::v4().get("socket.io.min.js") {
//!     Some(file) => println!("{} bytes of {}", file.bytes.len(), file.content_type),
//!     None => println!("built without the client files"),
//! }
//! ```
//!
//! # Licence
//!
//! The embedded files are under the MIT licence, © Guillermo Rauch and contributors; its text stands
//! beside them in `dist/`. The crate itself is under MIT or Apache-2.0.
//!
//! [`socket.io-client`]: https://www.npmjs.com/package/socket.io-client

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/lists.rs"));

/// The files of one release of the client.
#[derive(Debug)]
pub struct Bundle {
    version: &'static str,
    files: &'static [ClientFile],
}

impl Bundle {
    /// The files of release 4.8, for clients of Engine.IO protocol 4.
    pub fn v4() -> &'static Self {
        &V4
    }

    /// The files of release 2.5, for clients of Engine.IO protocol 3.
    pub fn v2() -> &'static Self {
        &V2
    }

    /// The file of this name, as `socket.io.js`. The name is compared as it is: no path, no case
    /// folding, no percent decoding.
    pub fn get(&self, name: &str) -> Option<&'static ClientFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// All files, sorted by name.
    pub fn files(&self) -> &'static [ClientFile] {
        self.files
    }

    /// Whether the crate was built without this release's files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The version of the release, as `4.8.4`; empty if the bundle is.
    pub fn version(&self) -> &'static str {
        self.version
    }
}

/// One file of a bundle.
#[derive(Clone, Copy)]
pub struct ClientFile {
    /// Its name, without a folder.
    pub name: &'static str,
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

impl fmt::Debug for ClientFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFile")
            .field("name", &self.name)
            .field("content_type", &self.content_type)
            .field("bytes", &format_args!("[{}]", self.bytes.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn bundles() -> [&'static Bundle; 2] {
        [Bundle::v4(), Bundle::v2()]
    }

    #[test]
    fn a_bundle_is_whole_or_empty() {
        for bundle in bundles() {
            assert_eq!(bundle.get("socket.io.js").is_none(), bundle.is_empty());
            assert_eq!(bundle.get("socket.io.js.map").is_none(), bundle.is_empty());
            assert_eq!(bundle.version().is_empty(), bundle.is_empty());
        }
    }

    #[test]
    fn names_are_plain_and_unique() {
        for bundle in bundles() {
            let mut seen = HashSet::new();
            for file in bundle.files() {
                assert!(seen.insert(file.name), "{} is there twice", file.name);
                assert!(!file.name.contains(['/', '\\']) && !file.name.contains(".."));
                assert_eq!(bundle.get(file.name).map(|found| found.name), Some(file.name));
            }
        }
    }

    #[test]
    fn only_exact_names_are_found() {
        for bundle in bundles() {
            for name in [
                "",
                "/socket.io.js",
                "./socket.io.js",
                "../v4/socket.io.js",
                "SOCKET.IO.JS",
                "socket.io.js?x",
                "socket.io%2ejs",
                "LICENSE",
                "VERSION",
            ] {
                assert!(bundle.get(name).is_none(), "{name:?} is found");
            }
        }
    }

    #[test]
    fn files_are_what_they_say() {
        for file in bundles().iter().flat_map(|bundle| bundle.files()) {
            let first = if file.name.ends_with(".map") { b'{' } else { b'/' };
            assert_eq!(file.bytes.first(), Some(&first), "{}", file.name);
            let json = file.content_type.starts_with("application/json; charset=utf-8");
            assert_eq!(json, file.name.ends_with(".map"));
        }
    }
}
