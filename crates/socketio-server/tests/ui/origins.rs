//! A function of the origin gets the request as well.

use socketio::options::{Origins, Refused};

fn main() {
    let _ = Origins::check(|origin: String| match origin.as_str() {
        "https://example.test" => Ok(()),
        _ => Err(Refused::forbidden()),
    });
}
