//! What the API knows of other nodes: their sockets, and the events that servers send each other.
//! Their part of namespaces and operators stands with these, whose fields it needs.

pub(crate) mod remote_socket;
pub(crate) mod server_event;
