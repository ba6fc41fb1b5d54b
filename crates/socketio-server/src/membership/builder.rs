//! How [`Nodes`] are made, and their options.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use engineio::{Connect, NodeTag, NodesOptions, Route};
use socketio_adapter::{AdapterFactory, NodeRow, NodesChannel};

use crate::error::{BuildError, NodesError};
use crate::membership::Nodes;
use crate::membership::members::Members;
use crate::membership::shared::{Inner, Membership};

/// The options of [`Nodes`], each with its default.
#[must_use = "a builder makes nothing before `build`"]
pub struct NodesBuilder {
    membership: Membership,
    channel: Option<Arc<dyn NodesChannel>>,
    name: Option<String>,
    advertise: Option<String>,
    change: Vec<Change>,
}

/// Options of the engine's, which are kept until it is known who the nodes are.
type Change = Box<dyn FnOnce(&mut NodesOptions) + Send>;

impl Nodes {
    /// Nodes that tell each other of themselves over the broker of an adapter: every 5 s, and when
    /// something changes. One that was silent for 30 s is gone. A node that does not hear itself has
    /// lost the broker, and keeps what it knows.
    ///
    /// ```no_run
    /// # fn example(redis: impl socketio::adapter::AdapterFactory) -> Result<(), socketio::options::BuildError> {
    /// use socketio::serve::nodes::Nodes;
    ///
    /// let nodes = Nodes::over(&redis).advertise("10.0.3.7:7946").secret("of the nodes").build();
    /// # Ok(())
    /// # }
    /// ```
    pub fn over(adapter: &impl AdapterFactory) -> NodesBuilder {
        NodesBuilder::new(Membership::Channel, adapter.nodes_channel())
    }

    /// Nodes that are known from the start, this one included, by their names: which of them this one
    /// is, [`NodesBuilder::name`] says.
    pub fn fixed<N: Into<String>, A: Into<String>>(
        nodes: impl IntoIterator<Item = (N, A)>,
    ) -> NodesBuilder {
        let nodes = nodes.into_iter().map(|(name, address)| (name.into(), address.into()));
        NodesBuilder::new(Membership::Fixed(nodes.collect()), None)
    }

    /// Nodes that a name of the DNS has an address for each of, as that of a headless service of
    /// Kubernetes; `host:port` of their listeners for nodes. All addresses are asked every 10 s which
    /// node is there; one that has not answered for 30 s is gone.
    pub fn dns(host: impl Into<String>) -> NodesBuilder {
        NodesBuilder::new(Membership::Dns(host.into()), None)
    }

    /// Processes of one machine that listen on unix sockets in one folder, each on that of its tag:
    /// [`Nodes::listen_unix`]. The folder is looked at every second. Who may write there is a node; no
    /// secret is needed.
    #[cfg(unix)]
    pub fn unix(folder: impl Into<std::path::PathBuf>) -> NodesBuilder {
        NodesBuilder::new(Membership::Folder(folder.into()), None)
    }
}

impl NodesBuilder {
    fn new(membership: Membership, channel: Option<Arc<dyn NodesChannel>>) -> Self {
        Self { membership, channel, name: None, advertise: None, change: Vec::new() }
    }

    /// What this node is called (at random). Its tag, with which the ids of its sessions begin, is the
    /// name itself, if that is four characters of URL-safe base64, and else a hash of it. Each name and
    /// each tag is one node's.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where the other nodes reach this one, `host:port` (where it listens). To be said where that is
    /// all addresses, or others see it under another one.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// What nodes prove each other that they are nodes with (nothing): the same for all of them, 1 to
    /// 512 characters of ASCII without blanks. Without it nodes listen on loopback addresses and unix
    /// sockets only. It passes between them in clear text, unless they [connect](Self::connect) in
    /// another way: the network between nodes must be a private one.
    pub fn secret(self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        self.with(move |options| options.secret = Some(secret))
    }

    /// Requests and WebSockets that may be passed on at a time, in each direction (half of
    /// [`max_connections`](crate::Builder::max_connections)); further ones are answered 503 with
    /// `Retry-After`.
    pub fn max_relayed(self, max: usize) -> Self {
        self.with(move |options| options.max_relayed = Some(max))
    }

    /// How long a connection to another node may take (1 s); then the request is answered as that of
    /// an unknown session, so that its client begins anew.
    pub fn connect_timeout(self, time: Duration) -> Self {
        self.with(move |options| options.connect_timeout = time)
    }

    /// How long the application waits for a new client that polls, for its session to move to the node
    /// where its upgrade arrives (not at all). Without it a session stays where it was opened, and
    /// behind a round robin over *n* nodes (*n* - 1) / *n* of all upgraded clients have their WebSocket
    /// passed on for as long as they live. With it, 300 ms say, those that upgrade within that time,
    /// as most do, are served where they are connected; those that only poll are connected that much
    /// later. To be the same on all nodes.
    pub fn hold(self, time: Duration) -> Self {
        self.with(move |options| options.hold = Some(time))
    }

    /// How requests get to the node that has their session ([`Route::Connect`]).
    pub fn route(self, route: Route) -> Self {
        self.with(move |options| options.route = route)
    }

    /// How connections to other nodes are made (TCP and unix sockets, not encrypted). With
    /// [`Nodes::attach`] for the other side.
    pub fn connect(self, connect: impl Connect) -> Self {
        self.with(move |options| options.connect = Arc::new(connect))
    }

    fn with(mut self, change: impl FnOnce(&mut NodesOptions) + Send + 'static) -> Self {
        self.change.push(Box::new(change));
        self
    }

    /// Makes the nodes.
    ///
    /// # Errors
    /// [`BuildError::Nodes`]: two nodes have one name or one tag, this one is not among them, the
    /// adapter has no broker, or others reach this node and there is no secret.
    pub fn build(self) -> Result<Nodes, BuildError> {
        let Self { membership, channel, name, advertise, change } = self;
        let mut advertise = advertise;
        let mut owners = HashMap::new();
        if let Membership::Fixed(nodes) = &membership {
            for (name, address) in nodes {
                let tag = NodeTag::of_name(name);
                if let Some((other, _)) = owners.insert(tag, (name.as_str(), address.as_str())) {
                    let (name, other) = (name.clone(), String::from(other));
                    return Err(NodesError::Duplicate { name, other }.into());
                }
            }
            let own = name.as_deref().map(NodeTag::of_name).and_then(|tag| owners.remove(&tag));
            let (_, address) = own.ok_or(NodesError::NotListed)?;
            advertise.get_or_insert_with(|| address.to_owned());
        }
        if matches!(membership, Membership::Channel) && channel.is_none() {
            return Err(NodesError::NoBroker.into());
        }
        let tag = match &name {
            Some(name) => NodeTag::of_name(name),
            None => engineio::random_id()[..NodeTag::LEN].parse().expect("an id begins with one"),
        };
        let mut own = NodeRow::new(tag, name.unwrap_or_else(|| tag.to_string()), incarnation());
        own.address.clone_from(&advertise);
        if !own.fits() {
            return Err(NodesError::TooLong.into());
        }
        let others = owners.into_iter().map(|(tag, (name, address))| {
            let mut row = NodeRow::new(tag, name, 0);
            row.address = Some(address.to_owned());
            row
        });
        let members = Arc::new(Members::new(own, others));
        let mut options = NodesOptions::new(Arc::clone(&members) as _);
        change.into_iter().for_each(|change| change(&mut options));
        if let Some(address) = &advertise
            && options.secret.is_none()
            && !is_loopback(address)
        {
            return Err(NodesError::NoSecret(address.clone()).into());
        }
        Ok(Nodes(Arc::new(Inner {
            members,
            membership,
            options,
            advertise,
            engine: OnceLock::new(),
            task: std::sync::Mutex::default(),
            channel,
            news: Arc::default(),
        })))
    }
}

impl fmt::Debug for NodesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodesBuilder")
            .field("membership", &self.membership)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Whether nobody else reaches an address.
fn is_loopback(address: &str) -> bool {
    if address.starts_with("unix:") {
        return true;
    }
    let ip = address.parse::<SocketAddr>().map(|address| address.ip());
    let host = || address.rsplit_once(':').map_or(address, |(host, _)| host);
    match ip.or_else(|_| host().parse::<IpAddr>()) {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host() == "localhost",
    }
}

/// Larger than those before, as long as the clock goes on; of two that begin at the same time one is.
fn incarnation() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}
