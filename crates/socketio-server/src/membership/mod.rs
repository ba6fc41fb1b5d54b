//! The nodes of a cluster behind a load balancer without sticky sessions: who they are, where this one
//! listens to the others. What is passed on, the engine does.

pub(crate) mod announce;
pub(crate) mod builder;
pub(crate) mod discover;
pub(crate) mod members;
pub(crate) mod shared;

use std::fmt;
use std::io;
use std::sync::Arc;

use engineio::{Attached, Bind, Directory as _, Listener, NodeTag};
use engineio_proto::guard::lock;
use engineio_proto::log;

use crate::error::NodesError;
use crate::membership::members::NodeInfo;
use crate::membership::shared::{Inner, Membership};

/// The nodes of a cluster whose load balancer gives each request to any of them: each passes on what
/// is of another's sessions. Made by one of the functions here, given to the server by
/// [`Builder::nodes`](crate::Builder::nodes), and complete when it [listens](Nodes::listen). A handle,
/// cheap to clone.
///
/// ```no_run
/// use socketio::Server;
/// use socketio::serve::nodes::Nodes;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let list = [("a", "10.0.0.1:7946"), ("b", "10.0.0.2:7946")];
/// let secret = std::env::var("NODE_SECRET")?;
/// let nodes = Nodes::fixed(list).name("a").secret(secret).build()?;
/// let io = Server::builder().nodes(nodes.clone()).build()?;
/// nodes.listen("0.0.0.0:7946").await?; // the other nodes; never public
/// io.listen(3000).await?; // clients, behind any load balancer
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Nodes(pub(crate) Arc<Inner>);

impl Nodes {
    /// The first four characters of the ids of this node's sessions. With an
    /// [`generate_id`](crate::Builder::generate_id) of one's own the ids are to begin with it, and have
    /// 16 characters of URL-safe base64 more, or other nodes do not know whose they are.
    #[must_use]
    pub fn tag(&self) -> NodeTag {
        self.0.members.tag()
    }

    /// All nodes that are known, this one first and then by their names.
    #[must_use]
    pub fn list(&self) -> Vec<NodeInfo> {
        self.0.members.list()
    }

    /// Listens to the other nodes on a port, an address or a `"host:port"`, and tells them of it.
    /// Clients must not reach it. Resolves when the others can know of this node: its messages go out,
    /// and what they answered first is here.
    ///
    /// # Errors
    /// What binding says. If the nodes were not given to a server, if this listens where others reach
    /// it and there is no secret, if it is not known where others reach it, or if another node with
    /// this one's tag is there.
    pub async fn listen(&self, addresses: impl Bind) -> io::Result<Attached> {
        self.attach(addresses.bind().await?).await
    }

    /// [`Nodes::listen`] on what a listener of one's own accepts, as for TLS between nodes; the other
    /// way is [`NodesBuilder::connect`](crate::serve::nodes::NodesBuilder::connect).
    ///
    /// # Errors
    /// Those of [`Nodes::listen`].
    pub async fn attach<L: Listener>(&self, listener: L) -> io::Result<Attached> {
        let engine = self.engine()?;
        let address = match &self.0.advertise {
            Some(address) => address.clone(),
            None => {
                let address = listener.local_addr()?;
                if address.ip().is_unspecified() && self.0.membership.tells_address() {
                    return Err(invalid(NodesError::Unadvertised));
                }
                address.to_string()
            }
        };
        let attached = engine.attach_nodes(listener)?;
        self.begin(address).await?;
        Ok(attached)
    }

    /// Listens to the other processes on the unix socket of this node's tag in the folder of
    /// [`Nodes::unix`].
    ///
    /// # Errors
    /// What binding says; if another node with this one's tag listens there, or the nodes have no
    /// folder.
    #[cfg(unix)]
    pub async fn listen_unix(&self) -> io::Result<Attached> {
        let Membership::Folder(folder) = &self.0.membership else {
            return Err(invalid(NodesError::NoFolder));
        };
        let engine = self.engine()?;
        let path = discover::socket(folder, self.tag());
        let listener = discover::bind(&path).await?;
        let attached = engine.attach_nodes(listener)?;
        self.begin(format!("unix:{}", path.display())).await?;
        Ok(attached)
    }

    fn engine(&self) -> io::Result<&engineio::Server> {
        self.0.engine.get().ok_or_else(|| invalid(NodesError::NoServer))
    }

    /// Tells the others where this node is, and learns who they are.
    async fn begin(&self, address: String) -> io::Result<()> {
        self.0.members.set_address(address);
        let inner = Arc::downgrade(&self.0);
        let (task, ready) = match (&self.0.membership, &self.0.channel) {
            (Membership::Fixed(_), _) => return Ok(()),
            (Membership::Channel, Some(channel)) => announce::begin(&self.0, channel),
            (Membership::Channel, None) => return Err(invalid(NodesError::NoBroker)),
            (Membership::Dns(host), _) => discover::dns(inner, host.clone()),
            #[cfg(unix)]
            (Membership::Folder(folder), _) => discover::folder(inner, folder.clone()),
        };
        let before = lock(&self.0.task).replace(task);
        if let Some(before) = before {
            before.abort();
        }
        // it ends without a word if the nodes were left meanwhile
        let _ = ready.await;
        if let Some(other) = self.0.members.clash() {
            self.leave();
            return Err(io::Error::new(io::ErrorKind::AddrInUse, other));
        }
        Ok(())
    }

    /// Gives them the engine whose sessions they are about. False: they have one.
    pub(crate) fn serve(&self, engine: &engineio::Server) -> bool {
        if engine.options().generate_id.is_some() {
            log!(warn:
                "ids of one's own: other nodes pass on requests of those only that begin with the \
                 tag of this node"
            );
        }
        self.0.engine.set(engine.clone()).is_ok()
    }

    /// What is to be told may have changed.
    pub(crate) fn note(&self) {
        self.0.news.notify_one();
    }

    /// Says goodbye.
    pub(crate) fn leave(&self) {
        let task = lock(&self.0.task).take();
        if let Some(task) = task {
            task.abort();
            if let Some(channel) = &self.0.channel {
                channel.publish(self.0.members.bye());
            }
        }
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes")
            .field("tag", &self.tag())
            .field("membership", &self.0.membership)
            .finish_non_exhaustive()
    }
}

fn invalid(error: NodesError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
