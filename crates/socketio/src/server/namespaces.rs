//! The namespaces of a server, by name.

use super::Server;
use crate::namespace::Namespace;
use crate::namespace::registry::Registry;

impl Server {
    /// The namespace `/`.
    // seed: server.sockets
    #[must_use]
    pub fn sockets(&self) -> &Namespace {
        &self.0.root
    }

    /// The namespace of this name, made on first use. A leading slash is added if it is missing;
    /// else names are compared as they are.
    ///
    /// A name that a rule of [`Server::of_matching`] allows is the rule's: the namespace has the
    /// middleware and the listeners of the first rule that allows it, and what is added here
    /// besides; it counts among [`ParentNamespace::namespaces`](crate::ParentNamespace::namespaces), and goes when nobody has it any
    /// more, unless something was added to it. An async rule has to see a client, so `of` cannot
    /// ask it: the namespace is there for the program, and clients find it as if it were not, until
    /// the rules, in their order, allow one of them to join it. So **make namespaces of your own
    /// before async rules**. What was made before a rule stays as it is, without the rule's
    /// middleware; a rule that would allow it says so in the log.
    ///
    /// # Panics
    /// As the closures of rules do.
    // seed: server.of
    #[must_use]
    pub fn of(&self, name: &str) -> Namespace {
        match name {
            "" | "/" => self.0.root.clone(),
            name if name.starts_with('/') => self.0.registry.get_or_make(name),
            name => self.0.registry.get_or_make(&format!("/{name}")),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }
}
