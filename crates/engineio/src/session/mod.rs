//! A session as others see it: the handle, what is handed to its task through the mailbox, and its
//! id. The task itself is the driver's.

pub(crate) mod id;
pub(crate) mod kept;
pub(crate) mod mailbox;
pub(crate) mod moved;
pub(crate) mod parting;
pub(crate) mod receipt;
pub(crate) mod socket;
