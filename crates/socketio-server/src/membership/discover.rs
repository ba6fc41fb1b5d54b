//! Nodes that are looked for: at the addresses of a name of the DNS, or in a folder of unix sockets.
//! Who is there says itself who it is.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use engineio_proto::log;
use futures_util::StreamExt as _;
use futures_util::stream;
use socketio_adapter::NodeRow;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::membership::shared::Inner;

/// Asks the addresses of a name again and again.
pub(crate) fn dns(nodes: Weak<Inner>, host: String) -> (AbortHandle, oneshot::Receiver<()>) {
    let (ready, is_ready) = oneshot::channel();
    let mut ready = Some(ready);
    let task = tokio::spawn(async move {
        loop {
            match tokio::net::lookup_host(&host).await {
                Ok(found) => {
                    let found: HashSet<_> = found.take(MAX_FOUND).collect();
                    let found = found.into_iter().map(|address| address.to_string());
                    if ask_all(&nodes, found.collect()).await.is_none() {
                        return;
                    }
                }
                Err(error) => log!(debug: host, %error, "no addresses of nodes"),
            }
            if let Some(ready) = ready.take() {
                let _ = ready.send(());
            }
            sleep(DNS).await;
        }
    });
    (task.abort_handle(), is_ready)
}

/// Asks all who may be nodes. None: nobody wants to know any more.
async fn ask_all(nodes: &Weak<Inner>, addresses: Vec<String>) -> Option<()> {
    let asking = stream::iter(addresses).map(|address| async move {
        let engine = nodes.upgrade()?.engine.get()?.clone();
        let said = engine.ask_node(&address).await;
        let nodes = nodes.upgrade()?;
        match said.map(|said| NodeRow::parse(&said)) {
            Ok(Ok(mut row)) => {
                // where it was reached, whatever it thinks of itself
                row.address = Some(address);
                nodes.members.insert(row);
            }
            Ok(Err(error)) => log!(debug: address, %error, "no node is there"),
            Err(error) => log!(debug: address, %error, "no node is there"),
        }
        Some(())
    });
    asking.buffer_unordered(AT_A_TIME).collect::<Vec<_>>().await;
    let nodes = nodes.upgrade()?;
    let draining = nodes.engine.get().is_some_and(engineio::Server::is_draining);
    let _ = nodes.members.on_deadline(draining);
    Some(())
}

/// How often addresses are asked.
const DNS: Duration = Duration::from_secs(10);

/// As many as a table of nodes has.
const MAX_FOUND: usize = 1_000;

const AT_A_TIME: usize = 16;

#[cfg(unix)]
pub(crate) use of_folder::{bind, folder, socket};

#[cfg(unix)]
mod of_folder {
    use std::collections::HashMap;
    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::{Path, PathBuf};
    use std::sync::Weak;
    use std::task::{Context, Poll};
    use std::time::{Duration, SystemTime};

    use engineio::{Directory as _, Listener, NodeTag};
    use engineio_proto::log;
    use socketio_adapter::NodeRow;
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::oneshot;
    use tokio::task::AbortHandle;
    use tokio::time::{Instant, sleep};

    use crate::membership::discover::MAX_FOUND;
    use crate::membership::shared::Inner;

    /// Looks at a folder of sockets again and again.
    pub(crate) fn folder(
        nodes: Weak<Inner>,
        folder: PathBuf,
    ) -> (AbortHandle, oneshot::Receiver<()>) {
        let (ready, is_ready) = oneshot::channel();
        let mut ready = Some(ready);
        let mut known = HashMap::new();
        let task = tokio::spawn(async move {
            loop {
                if look(&nodes, &folder, &mut known).await.is_none() {
                    return;
                }
                if let Some(ready) = ready.take() {
                    let _ = ready.send(());
                }
                sleep(LOOK).await;
            }
        });
        (task.abort_handle(), is_ready)
    }

    /// Finds those that came and went. `known`: when each was asked.
    async fn look(
        nodes: &Weak<Inner>,
        folder: &Path,
        known: &mut HashMap<NodeTag, Instant>,
    ) -> Option<()> {
        let own = nodes.upgrade()?.members.tag();
        let found = match tags(folder).await {
            Ok(found) => found,
            Err(error) => {
                log!(warn: folder = %folder.display(), %error, "the folder of the nodes");
                return Some(());
            }
        };
        let gone: Vec<_> = known.keys().filter(|tag| !found.contains(tag)).copied().collect();
        for tag in gone {
            known.remove(&tag);
            nodes.upgrade()?.members.remove(tag);
        }
        for tag in found.into_iter().filter(|tag| *tag != own) {
            if known.get(&tag).is_some_and(|asked| asked.elapsed() < ASK) {
                continue;
            }
            let path = socket(folder, tag);
            let address = format!("unix:{}", path.display());
            let engine = nodes.upgrade()?.engine.get()?.clone();
            match engine.ask_node(&address).await.map(|said| NodeRow::parse(&said)) {
                Ok(Ok(mut row)) if row.tag == tag => {
                    row.address = Some(address);
                    nodes.upgrade()?.members.insert(row);
                    known.insert(tag, Instant::now());
                }
                _ => {
                    known.remove(&tag);
                    nodes.upgrade()?.members.remove(tag);
                    remove_old(&path).await;
                }
            }
        }
        Some(())
    }

    /// The tags that files are named by.
    async fn tags(folder: &Path) -> io::Result<Vec<NodeTag>> {
        let folder = folder.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let names = std::fs::read_dir(folder)?.take(MAX_FOUND).filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_suffix(SUFFIX)?.parse().ok()
            });
            Ok(names.collect())
        });
        reading.await.map_err(io::Error::other)?
    }

    /// Removes what a process left behind that ended without a word.
    async fn remove_old(path: &Path) {
        let path = path.to_owned();
        let removing = tokio::task::spawn_blocking(move || {
            let made = std::fs::metadata(&path)?.modified()?;
            let age = SystemTime::now().duration_since(made).unwrap_or_default();
            if age > OLD { std::fs::remove_file(&path) } else { Ok(()) }
        });
        // another one may have done it
        let _ = removing.await;
    }

    /// The socket of a node.
    pub(crate) fn socket(folder: &Path, tag: NodeTag) -> PathBuf {
        folder.join(format!("{tag}{SUFFIX}"))
    }

    /// Listens on a socket, in the place of one that nobody listens on.
    pub(crate) async fn bind(path: &Path) -> io::Result<impl Listener> {
        if UnixStream::connect(path).await.is_ok() {
            let why = format!("a node listens on {} already", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Unix(UnixListener::bind(path)?, path.to_owned()))
    }

    struct Unix(UnixListener, PathBuf);

    impl Listener for Unix {
        type Io = UnixStream;

        fn poll_accept(
            &mut self,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
            let accepted = std::task::ready!(self.0.poll_accept(cx));
            let addr = self.local_addr()?;
            Poll::Ready(accepted.map(|(stream, _)| (stream, addr)))
        }

        /// Nobody else reaches it.
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok((Ipv4Addr::LOCALHOST, 0).into())
        }
    }

    impl Drop for Unix {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.1);
        }
    }

    const SUFFIX: &str = ".sock";

    /// How often the folder is looked at.
    const LOOK: Duration = Duration::from_secs(1);

    /// How often one that is there is asked whether it is.
    const ASK: Duration = Duration::from_secs(10);

    /// Between making a socket and listening on it passes no time.
    const OLD: Duration = Duration::from_secs(60);
}
