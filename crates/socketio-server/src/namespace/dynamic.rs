//! Dynamic namespaces: made when a client first asks for them, by a rule instead of by name.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_parser::{ArgsError, Value};

use crate::error::EmitError;
use crate::events::dedupe::Dedupe;
use crate::events::handler::Handler;
use crate::events::middleware::Middleware;
use crate::namespace::registry::Registry;
use crate::namespace::{Hooks, Namespace};
use crate::socket::handshake::{Credentials, Nothing};

/// A client's wish to join a namespace that does not exist yet, for a rule that decides about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// The name that the client asks for.
    pub name: String,
    /// The client's connection.
    pub conn: engineio::Socket,
    pub(crate) credentials: Option<Arc<Credentials>>,
}

impl Candidate {
    /// What the client sent with its wish, see [`Handshake::auth`](crate::events::Handshake::auth). It is the
    /// first client's: the others that join are not asked, so a login is the matter of middleware.
    #[must_use]
    pub fn auth(&self) -> Option<Value> {
        self.credentials.as_ref().map(|credentials| credentials.auth())
    }

    /// The same as a type, see [`Handshake::auth_as`](crate::events::Handshake::auth_as).
    ///
    /// # Errors
    /// Why it is not of that type.
    pub fn auth_as<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        match &self.credentials {
            Some(credentials) => credentials.read(),
            None => T::deserialize(Nothing),
        }
    }
}

/// Decides which names are dynamic namespaces: what [`Server::of_matching`] takes.
///
/// A text is a pattern in which `*` stands for one or more characters but `/`; a closure gets the
/// name (`Fn(&str) -> bool`) or, async, the whole [`Candidate`].
///
/// [`Server::of_matching`]: crate::Server::of_matching
#[diagnostic::on_unimplemented(
    message = "this does not decide about namespaces",
    label = "neither a pattern nor a function of a name or a `Candidate`",
    note = "a rule is a pattern such as \"/game-*\", a closure `|name: &str| -> bool`, or an async \
            closure `async |candidate: Candidate| -> bool`"
)]
pub trait NamespaceRule<M>: Send + Sync + 'static {
    /// What the registry asks.
    #[doc(hidden)]
    fn into_rule(self) -> Rule;
}

/// How a rule decides. Whoever needs the name alone is asked before anything is made of what the
/// client sent, and also where there is no client.
#[doc(hidden)]
#[expect(missing_debug_implementations, unnameable_types, reason = "not for users")]
pub enum Rule {
    ByName(Box<dyn Fn(&str) -> bool + Send + Sync>),
    ByCandidate(Box<dyn Fn(&Candidate) -> Decision + Send + Sync>),
}

/// A decision to come.
type Decision = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Marks patterns.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct ByPattern;

/// Marks sync closures.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct ByName;

/// Marks async closures.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct ByCandidate;

impl NamespaceRule<ByPattern> for &'static str {
    fn into_rule(self) -> Rule {
        self.to_owned().into_rule()
    }
}

impl NamespaceRule<ByPattern> for String {
    fn into_rule(self) -> Rule {
        // as `Server::of` reads a name
        let pattern = if self.starts_with('/') { self } else { format!("/{self}") };
        Rule::ByName(Box::new(move |name| matches_pattern(&pattern, name)))
    }
}

impl<F: Fn(&str) -> bool + Send + Sync + 'static> NamespaceRule<ByName> for F {
    fn into_rule(self) -> Rule {
        Rule::ByName(Box::new(self))
    }
}

impl<F, Fut> NamespaceRule<ByCandidate> for F
where
    F: FnOnce(Candidate) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = bool> + Send + 'static,
{
    fn into_rule(self) -> Rule {
        Rule::ByCandidate(Box::new(move |candidate| Box::pin(self.clone()(candidate.clone()))))
    }
}

/// Whether `name` is as the pattern says. Two pointers, no recursion: the name is the client's.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // the last star, and how far into the name it reaches
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') && name[n] != b'/' {
            star = Some((p, n + 1));
            (p, n) = (p + 1, n + 1);
        } else if pattern.get(p).is_some_and(|byte| *byte != b'*' && *byte == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else {
            let Some((at, end)) = star.filter(|(_, end)| name[*end] != b'/') else { return false };
            star = Some((at, end + 1));
            (p, n) = (at + 1, end + 1);
        }
    }
    p == pattern.len()
}

/// The namespaces of one rule: what is added here concerns all of them.
// Node: parent namespaces, 2.1 and later
#[derive(Clone)]
pub struct ParentNamespace {
    hooks: Arc<Hooks>,
    registry: Arc<Registry>,
}

impl ParentNamespace {
    pub(crate) fn new(hooks: Arc<Hooks>, registry: Arc<Registry>) -> Self {
        Self { hooks, registry }
    }

    /// [`Namespace::on_connection`] of each of them.
    #[track_caller]
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<M>) {
        self.hooks.on("connection", handler, &self.registry.given());
    }

    /// [`Namespace::on_connect`] of each of them.
    #[track_caller]
    pub fn on_connect<M: 'static>(&self, handler: impl Handler<M>) {
        self.hooks.on("connect", handler, &self.registry.given());
    }

    /// [`Namespace::on_event`] of each of them.
    #[track_caller]
    pub fn on_event<M: 'static>(&self, event: &'static str, handler: impl Handler<M>) {
        self.hooks.on_event(event.into(), handler, &self.registry.given());
    }

    /// [`Namespace::on_unknown_event`] of each of them.
    #[track_caller]
    pub fn on_unknown_event<M: 'static>(&self, handler: impl Handler<M>) {
        self.hooks.on_unknown_event(handler, &self.registry.given());
    }

    /// [`Namespace::dedupe`] of each of them; the bounds are those of all together.
    pub fn dedupe(&self, dedupe: Dedupe) {
        self.hooks.dedupe(dedupe);
    }

    /// [`Namespace::use_fn`] of each of them.
    #[track_caller]
    pub fn use_fn<M: 'static>(&self, middleware: impl Middleware<M>) {
        self.hooks.use_fn(middleware, &self.registry.given());
    }

    /// [`Namespace::emit`] to each of them.
    ///
    /// # Errors
    /// Those of [`Namespace::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.namespaces().iter().try_for_each(|namespace| namespace.emit(event, &args))
    }

    /// Those that exist at this moment.
    #[must_use]
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.registry.children(&self.hooks)
    }
}

impl fmt::Debug for ParentNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentNamespace").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(matches_pattern(pattern, name), expected, "{pattern} {name}");
    }

    #[test]
    fn patterns() {
        check("/dyn-*", "/dyn-1", true);
        check("/dyn-*", "/dyn-", false); // at least one character
        check("/dyn-*", "/dyn-1/2", false); // a star does not cross a slash
        check("/dyn-*", "/x/dyn-1", false);
        check("/a/*/c", "/a/bb/c", true);
        check("/a/*/c", "/a//c", false);
        check("/*b*d", "/abbcd", true);
        check("/*b*d", "/bd", false);
        check("/*", "/é😀", true);
        check("/a", "/a", true);
        check("/a", "/a*", false);
        check("/*-*", &format!("/{}", "a".repeat(100_000)), false);
    }
}
