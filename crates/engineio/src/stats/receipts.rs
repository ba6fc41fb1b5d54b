//! How long receipts take, for the facade `metrics`: told as they come, as a distribution cannot be read
//! off a snapshot. A receipt is seldom, beside messages.

use std::time::Duration;

use engineio_proto::{guard, log};
use metrics::histogram;

/// A receipt came, so long after it was asked for on the wire.
pub(super) fn tell(round_trip: Duration) {
    // a recorder is code of the user
    if guard::call(|| histogram!(RECEIPT_SECONDS).record(round_trip)).is_err() {
        log!(error: "a recorder of metrics panicked");
    }
}

pub(super) const RECEIPT_SECONDS: &str = "engineio_receipt_seconds";
