//! Connections that Node accepted: requests that it has read, streams behind requests for an upgrade,
//! and streams whose bytes go through JavaScript.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engineio::{AnswerHeaders, RemoteAddr, Secure};
use engineio_proto::guard::lock;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tower_service::Service as _;

use crate::inbound::Inbound;
use crate::node::{Adopted, Failure, adopt_descriptor};
use crate::records::Record;

/// The number that JavaScript gave a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestNumber(pub(crate) u32);

/// The id that JavaScript made for the session that a request opens.
#[derive(Clone, Debug)]
pub(crate) struct GivenId(pub(crate) String);

/// What is underway of what Node accepted.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    answering: Mutex<HashMap<u32, AbortHandle>>,
    bridges: Mutex<HashMap<u32, Bridge>>,
}

/// A stream whose bytes JavaScript carries.
#[derive(Clone, Debug)]
struct Bridge {
    /// What came, in portions: JavaScript is told what was taken of it, and pauses meanwhile.
    incoming: mpsc::UnboundedSender<Bytes>,
    /// How many bytes more JavaScript may be given.
    credit: Arc<Semaphore>,
}

/// Bytes of a bridged stream that may be underway in each direction.
const BRIDGE: usize = 64 * 1024;

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) struct Answering {
    pub(crate) io: socketio::Server,
    pub(crate) inbound: Arc<Inbound>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) runtime: Handle,
}

impl Answering {
    /// Answers a request by a record; `head` is what `head` of `lib/http.js` writes.
    pub(crate) fn request(&self, number: u32, head: &str, body: Bytes) -> Result<(), Failure> {
        let request = request_of(number, head)?.map(|()| Full::new(body));
        let (io, inbound) = (self.io.clone(), Arc::clone(&self.inbound));
        let requests = Arc::clone(&self.requests);
        // held until the task is listed, so that it is not struck off before
        let mut answering = lock(&self.requests.answering);
        let task = self.runtime.spawn(async move {
            let answer = io.service().call(request).await;
            let (head, body) = match answer {
                Ok(answer) => answer.into_parts(),
                Err(never) => match never {},
            };
            let body = body.collect().await.map(http_body_util::Collected::to_bytes);
            let gone = lock(&requests.answering).remove(&number);
            drop(gone);
            inbound.push(Record::Answer {
                request: number,
                status: head.status,
                headers: &head.headers,
                body: body.unwrap_or_default(),
            });
        });
        answering.insert(number, task.abort_handle());
        Ok(())
    }

    /// The client does not wait for the answer any more.
    pub(crate) fn abort(&self, number: u32) {
        let task = lock(&self.requests.answering).remove(&number);
        if let Some(task) = task {
            task.abort();
        }
    }

    /// Goes on with the connection behind a request for an upgrade. False: it cannot be taken over.
    pub(crate) fn upgrade(
        &self,
        number: u32,
        head: &str,
        prefix: Bytes,
        descriptor: i32,
    ) -> Result<bool, Failure> {
        let request = request_of(number, head)?;
        let _runtime = self.runtime.enter();
        let Ok(stream) = adopt_descriptor(descriptor) else { return Ok(false) };
        let (engine, inbound) = (self.io.engine().clone(), Arc::clone(&self.inbound));
        self.runtime.spawn(async move {
            let (head, ()) = request.into_parts();
            let status = match stream {
                Adopted::Tcp(stream) => engine.adopt(stream, head, &prefix).await,
                Adopted::Unix(stream) => engine.adopt(stream, head, &prefix).await,
            };
            inbound.push(Record::Upgraded { request: number, status });
        });
        Ok(true)
    }

    /// The same with a stream whose bytes JavaScript brings, by [`Answering::bridged`], and takes, by
    /// records.
    pub(crate) fn bridge(&self, number: u32, head: &str, prefix: Bytes) -> Result<(), Failure> {
        let request = request_of(number, head)?;
        let (ours, theirs) = tokio::io::duplex(BRIDGE);
        let (incoming, receiver) = mpsc::unbounded_channel();
        let credit = Arc::new(Semaphore::new(BRIDGE));
        let bridge = Bridge { incoming, credit: Arc::clone(&credit) };
        lock(&self.requests.bridges).insert(number, bridge);
        self.runtime.spawn(carry(ours, receiver, credit, number, self.clone()));
        let (engine, inbound) = (self.io.engine().clone(), Arc::clone(&self.inbound));
        self.runtime.spawn(async move {
            let (head, ()) = request.into_parts();
            let status = engine.adopt(theirs, head, &prefix).await;
            inbound.push(Record::Upgraded { request: number, status });
        });
        Ok(())
    }

    /// Bytes that came for a bridged stream; none: it has ended.
    pub(crate) fn bridged(&self, number: u32, bytes: Option<Bytes>) {
        match bytes {
            Some(bytes) => {
                let bridge = lock(&self.requests.bridges).get(&number).cloned();
                if let Some(bridge) = bridge {
                    // who takes it may have gone
                    let _ = bridge.incoming.send(bytes);
                }
            }
            None => self.requests.forget_bridge(number),
        }
    }

    /// JavaScript has written so many bytes of a bridged stream.
    pub(crate) fn bridge_written(&self, number: u32, count: u32) {
        let bridge = lock(&self.requests.bridges).get(&number).cloned();
        if let Some(bridge) = bridge {
            bridge.credit.add_permits(count as usize);
        }
    }
}

impl Requests {
    fn forget_bridge(&self, number: u32) {
        let gone = lock(&self.bridges).remove(&number);
        drop(gone);
    }

    /// Nobody waits for any answer.
    pub(crate) fn clear(&self) {
        let tasks = std::mem::take(&mut *lock(&self.answering));
        tasks.into_values().for_each(|task| task.abort());
        let bridges = std::mem::take(&mut *lock(&self.bridges));
        drop(bridges);
    }
}

/// Carries the bytes of a bridged stream in both directions.
async fn carry(
    stream: DuplexStream,
    mut incoming: mpsc::UnboundedReceiver<Bytes>,
    credit: Arc<Semaphore>,
    number: u32,
    answering: Answering,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let inbound = Arc::clone(&answering.inbound);
    let taken = Arc::clone(&inbound);
    let writing = tokio::spawn(async move {
        while let Some(bytes) = incoming.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
            taken.push(Record::BridgeTaken { request: number, count: bytes.len() });
        }
        let _ = writer.shutdown().await;
    });
    loop {
        let mut bytes = Vec::with_capacity(16 * 1024);
        match reader.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                let Ok(permit) = credit.acquire_many(count).await else { break };
                permit.forget();
                let bytes = Some(Bytes::from(bytes));
                inbound.push(Record::Bridge { request: number, bytes });
            }
        }
    }
    inbound.push(Record::Bridge { request: number, bytes: None });
    answering.requests.forget_bridge(number);
    writing.abort();
}

/// The request that JavaScript describes: method, target, address, port, whether it is encrypted, an id
/// for the session or nothing, how many headers the answer is to have, these, and those of the request.
fn request_of(number: u32, head: &str) -> Result<Request<()>, Failure> {
    let malformed = || Failure::wrong_type("a request cannot be read");
    let mut fields = head.split('\u{1}');
    let mut field = || fields.next().ok_or_else(malformed);
    let method: Method = field()?.parse().map_err(|_| malformed())?;
    let target = field()?;
    // what Node lets pass and is no target for others is refused as bad, not lost
    let uri: Uri = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
    let (address, port) = (field()?, field()?);
    let is_secure = field()? == "1";
    let id = field()?;
    let answers: usize = field()?.parse().map_err(|_| malformed())?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let extensions = request.extensions_mut();
    extensions.insert(RequestNumber(number));
    if let (Ok(address), Ok(port)) = (address.parse(), port.parse()) {
        extensions.insert(RemoteAddr(SocketAddr::new(address, port)));
    }
    if is_secure {
        extensions.insert(Secure);
    }
    if !id.is_empty() {
        extensions.insert(GivenId(id.to_owned()));
    }
    let mut of_answer = AnswerHeaders::default();
    let mut at = 0;
    while let Some(name) = fields.next() {
        let value = fields.next().ok_or_else(malformed)?;
        let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::from_bytes(&latin1(value)))
        else {
            at += 1;
            continue;
        };
        match at < answers {
            true => of_answer.0.append(name, value),
            false => request.headers_mut().append(name, value),
        };
        at += 1;
    }
    if answers > 0 {
        request.extensions_mut().insert(of_answer);
    }
    Ok(request)
}

/// Node reads headers as Latin-1: one character a byte.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}
