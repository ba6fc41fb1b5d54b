//! What is sent: to whom, how, and who acknowledges it.

pub(crate) mod broadcast;
pub(crate) mod with_ack;
