//! Tasks that are rare, or short: all of one type.

use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinHandle;

/// Runs a future in a task of its own. What tokio has for each type of future that is spawned is some
/// 10 KB of a program: this is for those that an allocation more does not matter to.
#[doc(hidden)]
#[inline(never)]
pub fn spawn(future: Pin<Box<dyn Future<Output = ()> + Send>>) -> JoinHandle<()> {
    tokio::spawn(future)
}
