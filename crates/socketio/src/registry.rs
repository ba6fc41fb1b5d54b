//! The namespaces of a server, by name, and the rules for those that are made on demand.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use socketio_adapter::AdapterFactory;

use crate::dynamic::{Candidate, Decision, NamespaceRule};
use crate::limits::Limit;
use crate::namespace::{Hooks, Namespace, Shared};

/// The namespaces of a server.
pub(crate) struct Registry {
    table: RwLock<HashMap<Arc<str>, Namespace>>,
    rules: RwLock<Arc<[Rule]>>,
    adapter: Arc<dyn AdapterFactory>,
    shared: Shared,
    this: Weak<Self>,
}

/// A rule for dynamic namespaces, and what is to be done in those that it makes.
#[derive(Clone)]
struct Rule {
    decide: Arc<dyn Fn(&Candidate) -> Decision + Send + Sync>,
    hooks: Arc<Hooks>,
}

impl Registry {
    pub(crate) fn new(adapter: Arc<dyn AdapterFactory>, shared: Shared) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            table: RwLock::default(),
            rules: RwLock::new(Arc::new([])),
            adapter,
            shared,
            this: this.clone(),
        })
    }

    /// The namespace of this name, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<Namespace> {
        self.read().get(name).cloned()
    }

    /// The namespace of this name, made if need be.
    pub(crate) fn get_or_make(&self, name: &str) -> Namespace {
        self.get(name).unwrap_or_else(|| self.make(name, None))
    }

    fn make(&self, name: &str, parent: Option<Arc<Hooks>>) -> Namespace {
        let name: Arc<str> = name.into();
        // made before the lock: the adapter is code of others
        let adapter = self.adapter.create(&name);
        let registry = if parent.is_some() { self.this.clone() } else { Weak::new() };
        let new = Namespace::new(Arc::clone(&name), adapter, self.shared.clone(), parent, registry);
        let (namespace, is_new) = match self.write().entry(name) {
            Entry::Occupied(there) => (there.get().clone(), false),
            Entry::Vacant(free) => (free.insert(new).clone(), true),
        };
        if is_new {
            namespace.attach();
        }
        namespace
    }

    /// Adds a rule for dynamic namespaces.
    pub(crate) fn add_rule<M: 'static>(&self, rule: impl NamespaceRule<M>) -> Arc<Hooks> {
        let hooks = Arc::new(Hooks::default());
        let rule = Rule {
            decide: Arc::new(move |candidate: &Candidate| rule.decide(candidate)),
            hooks: Arc::clone(&hooks),
        };
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        *rules = rules.iter().cloned().chain([rule]).collect();
        hooks
    }

    pub(crate) fn has_rules(&self) -> bool {
        !self.rules.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Makes the namespace that a client asks for, if a rule allows it.
    pub(crate) async fn make_dynamic(
        &self,
        candidate: Candidate,
        limit: usize,
    ) -> Option<Namespace> {
        let rules = Arc::clone(&*self.rules.read().unwrap_or_else(PoisonError::into_inner));
        for rule in &*rules {
            let allowed = match (rule.decide)(&candidate) {
                Decision::Now(allowed) => allowed,
                Decision::Later(future) => future.await,
            };
            if !allowed {
                continue;
            }
            if self.dynamic_count() >= limit {
                self.sweep();
                if self.dynamic_count() >= limit {
                    self.shared.counters.add(Limit::DynamicNamespaces, 1);
                    tracing::warn!(limit, "too many dynamic namespaces: refused");
                    return None;
                }
            }
            return Some(self.make(&candidate.name, Some(Arc::clone(&rule.hooks))));
        }
        None
    }

    /// All namespaces.
    pub(crate) fn all(&self) -> Vec<Namespace> {
        self.read().values().cloned().collect()
    }

    /// The namespaces that a rule made.
    pub(crate) fn children(&self, hooks: &Arc<Hooks>) -> Vec<Namespace> {
        self.read().values().filter(|namespace| namespace.is_child_of(hooks)).cloned().collect()
    }

    /// A socket of a dynamic namespace is gone for good: so is the namespace, if nobody else has
    /// it. The socket's own handle must be the one given here.
    pub(crate) fn release(&self, namespace: Namespace) {
        let gone = {
            let mut table = self.write();
            let name = Arc::clone(namespace.shared_name());
            drop(namespace); // not the last: the table has one
            match table.get(&name) {
                Some(left) if left.is_unused() => table.remove(&name),
                _ => None,
            }
        };
        drop(gone);
    }

    /// Removes the dynamic namespaces that nobody has any more: those whose last handle was not
    /// a socket's.
    fn sweep(&self) {
        let gone: Vec<Namespace> = {
            let mut table = self.write();
            let names: Vec<Arc<str>> = table
                .values()
                .filter(|namespace| namespace.is_dynamic() && namespace.is_unused())
                .map(|namespace| Arc::clone(namespace.shared_name()))
                .collect();
            names.iter().filter_map(|name| table.remove(name)).collect()
        };
        drop(gone);
    }

    fn dynamic_count(&self) -> usize {
        self.read().values().filter(|namespace| namespace.is_dynamic()).count()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Namespace>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Arc<str>, Namespace>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
