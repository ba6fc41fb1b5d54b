//! The namespaces of a server, by name and by rule.

use std::sync::Arc;

use super::Server;
use crate::namespace::Namespace;
use crate::namespace::dynamic::{NamespaceRule, ParentNamespace};

impl Server {
    /// The namespace `/`.
    // Node 2.0: server.sockets
    #[must_use]
    pub fn sockets(&self) -> &Namespace {
        &self.0.root
    }

    /// The namespace of this name, made on first use. A leading slash is added if it is missing;
    /// else names are compared as they are.
    ///
    /// A name that a rule of [`Server::of_matching`] allows is the rule's: the namespace has the
    /// middleware and the listeners of the first rule that allows it, and what is added here
    /// besides; it counts among [`ParentNamespace::namespaces`](crate::namespaces::ParentNamespace::namespaces), and goes when nobody has it any
    /// more, unless something was added to it. An async rule has to see a client, so `of` cannot
    /// ask it: the namespace is there for the program, and clients find it as if it were not, until
    /// the rules, in their order, allow one of them to join it. So **make namespaces of your own
    /// before async rules**. What was made before a rule stays as it is, without the rule's
    /// middleware; a rule that would allow it says so in the log.
    ///
    /// # Panics
    /// As the closures of rules do.
    // Node 2.0: server.of
    #[must_use]
    pub fn of(&self, name: &str) -> Namespace {
        match name {
            "" | "/" => self.0.root.clone(),
            name if name.starts_with('/') => self.0.core.registry.get_or_make(name),
            name => self.0.core.registry.get_or_make(&format!("/{name}")),
        }
    }

    /// Namespaces by a rule: one that does not exist is made when a client asks for a name that
    /// the rule allows, and removed again when nobody has it any more. What is added to the result
    /// concerns all of them. The first rule that allows a name counts. A pattern without a leading
    /// slash gets one, as the names of [`Server::of`] do.
    ///
    /// A rule says which namespaces there are, not who may join them: it is not asked again for one
    /// that is there, so what it learns of the first client holds for all. Whom a namespace lets in is
    /// the matter of its middleware.
    ///
    /// ```
    /// # use socketio::namespaces::Candidate;
    /// # use socketio::{Server, Socket};
    /// # fn example(io: Server) {
    /// // a pattern
    /// io.of_matching("/game-*").on_connection(|socket: Socket| {
    ///     socket.emit("welcome", socket.namespace().name())
    /// });
    /// // a function of the name
    /// io.of_matching(|name: &str| name.len() == 37 && name.starts_with("/"));
    /// // or one that may take its time
    /// io.of_matching(async |candidate: Candidate| is_known(&candidate.name).await);
    /// # }
    /// # async fn is_known(name: &str) -> bool { name == "/document-7" }
    /// ```
    // Node: server.of with a regular expression or a function, 2.1 and later
    pub fn of_matching<M: 'static>(&self, rule: impl NamespaceRule<M>) -> ParentNamespace {
        let hooks = self.0.core.registry.add_rule(rule);
        ParentNamespace::new(hooks, Arc::clone(&self.0.core.registry))
    }
}
