//! The crate as those see it who use it: by what it exports.

mod args;
mod errors;
mod sent;
mod values;
mod weights;
