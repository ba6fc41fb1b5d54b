//! The namespaces of a server, by name, and the rules for those that are made on demand.
//!
//! A name that a rule allows is the rule's, whoever names it first: a client that asks for it, or
//! the program by `of`. A rule that has to see the client cannot be asked for the program; then the
//! namespace is there, but as long as no rule has allowed a client to join, clients find it as if
//! it were not. So nobody gets past the middleware of a rule.

use std::collections::HashMap;
use std::collections::hash_map::Entry as ByAddress;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use engineio_proto::guard::{self, Held};
use engineio_proto::log;
use socketio_adapter::AdapterFactory;
use socketio_parser::IndexMap;

use crate::error::ConnectError;
use crate::events::given::Given;
use crate::limits::{Limit, Limits};
use crate::namespace::dynamic::{self, Candidate, NamespaceRule};
use crate::namespace::{Hooks, Namespace, Origin, Shared};

/// The namespaces of a server.
pub(crate) struct Registry {
    table: RwLock<Table>,
    rules: RwLock<Arc<[Rule]>>,
    adapter: Arc<dyn AdapterFactory>,
    shared: Shared,
    this: Weak<Self>,
}

#[derive(Default)]
struct Table {
    by_name: IndexMap<Arc<str>, Namespace>,
    /// Those that clients made, and how many of them those of an address made.
    made: usize,
    made_by: HashMap<IpAddr, usize>,
    /// Where the search for what nobody has any more goes on.
    sweep_from: usize,
}

/// A rule for dynamic namespaces, and what is to be done in those that it makes.
#[derive(Clone)]
struct Rule {
    decide: Arc<dynamic::Rule>,
    hooks: Arc<Hooks>,
}

/// The client that a namespace was made for; its address, where that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker(pub(crate) Option<IpAddr>);

/// What a client's wish leads to.
pub(crate) enum Found {
    /// This namespace.
    Namespace(Namespace),
    /// A rule that has to see the client: [`Registry::ask`] goes on there.
    Undecided(Undecided),
}

/// The rules that are still to be asked.
pub(crate) struct Undecided {
    rules: Arc<[Rule]>,
    from: usize,
}

/// What the rules say of a name alone.
enum Verdict {
    Refused,
    Allowed(Arc<Hooks>),
    Undecided(Undecided),
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

    /// What handlers may ask for.
    pub(crate) fn given(&self) -> Given<'_> {
        Given::new(&self.shared.state)
    }

    /// The namespace of this name, made if need be: the program names it.
    pub(crate) fn get_or_make(&self, name: &str) -> Namespace {
        let namespace = self.get(name).unwrap_or_else(|| {
            let origin = match self.verdict(name) {
                Verdict::Refused => Origin::Named,
                Verdict::Allowed(hooks) => Origin::Rule { hooks, maker: None },
                Verdict::Undecided(_) => Origin::Undecided,
            };
            self.make(name, origin).expect("only those that clients make are counted")
        });
        namespace.set_named();
        namespace
    }

    /// The namespace that a client asks for: one that is there, or that a rule allows.
    ///
    /// # Errors
    /// What the client is told: there is none, or it would be one too many.
    pub(crate) fn find(&self, name: &str, maker: Maker) -> Result<Found, ConnectError> {
        if let Some(namespace) = self.get(name).filter(Namespace::is_decided) {
            return Ok(Found::Namespace(namespace));
        }
        match self.verdict(name) {
            Verdict::Refused => Err(no_namespace()),
            Verdict::Allowed(hooks) => self.make_for(name, hooks, maker).map(Found::Namespace),
            Verdict::Undecided(undecided) => Ok(Found::Undecided(undecided)),
        }
    }

    /// Whether a client may find a namespace of this name.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        let decided = self.get(name).is_some_and(|namespace| namespace.is_decided());
        decided || !matches!(self.verdict(name), Verdict::Refused)
    }

    /// Asks the rules that want to see the client.
    ///
    /// # Errors
    /// As of [`Registry::find`].
    pub(crate) async fn ask(
        &self,
        undecided: Undecided,
        candidate: Candidate,
        maker: Maker,
    ) -> Result<Namespace, ConnectError> {
        let rules = undecided.rules.get(undecided.from..).unwrap_or_default();
        for rule in rules {
            let allowed = match &*rule.decide {
                dynamic::Rule::ByName(allows) => allows(&candidate.name),
                dynamic::Rule::ByCandidate(decide) => decide(&candidate).await,
            };
            if allowed {
                return self.make_for(&candidate.name, Arc::clone(&rule.hooks), maker);
            }
        }
        Err(no_namespace())
    }

    /// Asks the rules in their order, until one is to be asked that has to see the client.
    fn verdict(&self, name: &str) -> Verdict {
        let rules = self.rules();
        for (from, rule) in rules.iter().enumerate() {
            match &*rule.decide {
                dynamic::Rule::ByName(allows) if allows(name) => {
                    return Verdict::Allowed(Arc::clone(&rule.hooks));
                }
                dynamic::Rule::ByName(_) => {}
                dynamic::Rule::ByCandidate(_) => {
                    return Verdict::Undecided(Undecided { rules, from });
                }
            }
        }
        Verdict::Refused
    }

    /// The namespace that a rule allows a client, made if it is not there.
    fn make_for(
        &self,
        name: &str,
        hooks: Arc<Hooks>,
        maker: Maker,
    ) -> Result<Namespace, ConnectError> {
        if let Some(there) = self.get(name) {
            there.decide(hooks);
            return Ok(there);
        }
        // before an adapter is made in vain
        if let Some(limit) = self.is_too_much(maker) {
            return Err(self.too_many(limit));
        }
        let origin = Origin::Rule { hooks: Arc::clone(&hooks), maker: Some(maker) };
        let made = self.make(name, origin).map_err(|limit| self.too_many(limit))?;
        made.decide(hooks); // the program may have been quicker
        Ok(made)
    }

    fn too_many(&self, limit: Limit) -> ConnectError {
        self.shared.counters.add(limit, 1);
        ConnectError::new(match limit {
            Limit::AddressDynamicNamespaces => "Too many dynamic namespaces of this address",
            _ => "Too many dynamic namespaces",
        })
    }

    /// The limit at which one more would be too many. What nobody has any more is not in the way.
    fn is_too_much(&self, maker: Maker) -> Option<Limit> {
        let broken = self.read().broken_by(maker, &self.shared.limits)?;
        let gone = self.write().sweep(SWEPT_FOR_ROOM);
        if gone.is_empty() {
            return Some(broken);
        }
        drop(gone);
        self.read().broken_by(maker, &self.shared.limits)
    }

    fn make(&self, name: &str, origin: Origin) -> Result<Namespace, Limit> {
        let name: Arc<str> = name.into();
        // made before the lock: the adapter is code of others
        let adapter = self.adapter.create(&name);
        let maker = origin.maker();
        let registry = if origin.is_dynamic() { self.this.clone() } else { Weak::new() };
        let new = Namespace::new(name, adapter, self.shared.clone(), origin, registry);
        let (there, gone) = {
            let mut table = self.write();
            let there = table.by_name.get(new.shared_name()).cloned();
            if there.is_none() {
                let broken = maker.and_then(|maker| table.broken_by(maker, &self.shared.limits));
                broken.map_or(Ok(()), Err)?;
                table.insert(new.clone());
            }
            (there, table.sweep(SWEPT_AT_ONCE))
        };
        drop(gone);
        if let Some(there) = there {
            return Ok(there);
        }
        new.attach();
        Ok(new)
    }

    /// Adds a rule for dynamic namespaces.
    pub(crate) fn add_rule<M: 'static>(&self, rule: impl NamespaceRule<M>) -> Arc<Hooks> {
        let hooks = Arc::new(Hooks::default());
        let rule = Rule { decide: Arc::new(rule.into_rule()), hooks: Arc::clone(&hooks) };
        let decide = Arc::clone(&rule.decide);
        {
            let mut rules = guard::write(&self.rules);
            *rules = rules.iter().cloned().chain([rule]).collect();
        }
        if let dynamic::Rule::ByName(allows) = &*decide {
            let named = self.all().into_iter().filter(|namespace| !namespace.is_dynamic());
            // `/` is never a rule's: every server has it
            for namespace in named.filter(|namespace| namespace.name() != "/") {
                if allows(namespace.name()) {
                    log!(warn:
                        namespace = namespace.name(),
                        "made before the rule that allows it: the rule's middleware does not guard it"
                    );
                }
            }
        }
        hooks
    }

    fn rules(&self) -> Arc<[Rule]> {
        Arc::clone(&*guard::read(&self.rules))
    }

    /// The namespace of this name, if there is one.
    fn get(&self, name: &str) -> Option<Namespace> {
        self.read().by_name.get(name).cloned()
    }

    /// All namespaces.
    pub(crate) fn all(&self) -> Vec<Namespace> {
        self.read().by_name.values().cloned().collect()
    }

    /// The namespaces of a rule.
    pub(crate) fn children(&self, hooks: &Arc<Hooks>) -> Vec<Namespace> {
        let table = self.read();
        table.by_name.values().filter(|namespace| namespace.is_child_of(hooks)).cloned().collect()
    }

    /// A socket of a dynamic namespace is gone for good: so is the namespace, if nobody else has
    /// it. The socket's own handle must be the one given here.
    pub(crate) fn release(&self, namespace: Namespace) {
        let gone = {
            let mut table = self.write();
            let name = Arc::clone(namespace.shared_name());
            drop(namespace); // not the last: the table has one
            let is_unused = table.by_name.get(&name).is_some_and(Namespace::is_unused);
            if is_unused { table.remove(&name) } else { None }
        };
        drop(gone);
    }

    fn read(&self) -> Held<RwLockReadGuard<'_, Table>> {
        guard::read(&self.table)
    }

    fn write(&self) -> Held<RwLockWriteGuard<'_, Table>> {
        guard::write(&self.table)
    }
}

impl Table {
    /// The limit that one more namespace of this client would break.
    fn broken_by(&self, maker: Maker, limits: &Limits) -> Option<Limit> {
        if self.made >= limits.max_dynamic_namespaces {
            return Some(Limit::DynamicNamespaces);
        }
        let of_address = self.made_by.get(&maker.0?).copied().unwrap_or_default();
        (of_address >= limits.max_dynamic_namespaces_per_address)
            .then_some(Limit::AddressDynamicNamespaces)
    }

    fn insert(&mut self, namespace: Namespace) {
        if let Some(maker) = namespace.maker() {
            self.made += 1;
            if let Some(address) = maker.0 {
                *self.made_by.entry(address).or_default() += 1;
            }
        }
        self.by_name.insert(Arc::clone(namespace.shared_name()), namespace);
    }

    fn remove(&mut self, name: &str) -> Option<Namespace> {
        let gone = self.by_name.swap_remove(name)?;
        if let Some(maker) = gone.maker() {
            self.made -= 1;
            if let Some(ByAddress::Occupied(mut count)) =
                maker.0.map(|address| self.made_by.entry(address))
            {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        Some(gone)
    }

    /// Takes out the dynamic namespaces that nobody has any more, those whose last handle was not
    /// a socket's, of the next few. Each call goes on where the latest came to, so that what is
    /// left behind is found in the course of time and no call takes long.
    fn sweep(&mut self, count: usize) -> Vec<Namespace> {
        let mut gone = Vec::new();
        for _ in 0..count.min(self.by_name.len()) {
            if self.sweep_from >= self.by_name.len() {
                self.sweep_from = 0;
            }
            let next = self.by_name.get_index(self.sweep_from);
            let unused = next.filter(|(_, namespace)| namespace.is_unused());
            match unused.map(|(name, _)| Arc::clone(name)) {
                // the last one takes its place, and is looked at next
                Some(name) => gone.extend(self.remove(&name)),
                None => self.sweep_from += 1,
            }
        }
        gone
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

// Node: the words of 2.0 and later
fn no_namespace() -> ConnectError {
    ConnectError::new("Invalid namespace")
}

/// Namespaces that each new one looks at, for such as nobody has any more: more than one, so that
/// they become fewer.
const SWEPT_AT_ONCE: usize = 4;

/// Namespaces that a client's wish looks at that would be one too many.
const SWEPT_FOR_ROOM: usize = 64;
