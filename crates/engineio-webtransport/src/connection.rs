//! One connection, from its handshake to the session that it carries.

use std::future::poll_fn;
use std::sync::Arc;

use engineio::{AdmitError, Presence, RemoteAddr, Request, Secure, TransportKind};
use engineio_proto::http3::request::Head;
use engineio_proto::http3::{Code, settings};
use engineio_proto::log;
use quinn::{Connecting, RecvStream, SendStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::ending::Ending;
use crate::link::{Event, Limits, Link, response, var};
use crate::port::Port;
use crate::stats::{Counted, Counters};
use crate::stream::SessionStream;

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) connecting: Connecting,
    pub(crate) port: Arc<Port>,
    pub(crate) presence: Presence,
    pub(crate) connection: Counted,
    /// Its place among those without a session.
    pub(crate) pending: Counted,
    pub(crate) alive: Arc<watch::Sender<()>>,
}

/// Serves a connection until its session has begun.
pub(crate) async fn serve(accepted: Accepted) {
    let Accepted { connecting, port, mut presence, connection, pending, alive } = accepted;
    let counters = &port.counters;
    let deadline = Instant::now() + port.server.options().upgrade_timeout;
    let link = tokio::select! {
        link = timeout_at(deadline, shake_hands(connecting, &port)) => link,
        () = presence.finishing() => return,
    };
    let mut link = match link {
        Ok(Some(link)) => link,
        Ok(None) => return Counters::add(&counters.handshakes_failed),
        Err(_) => return Counters::add(&counters.timed_out),
    };
    let asking = Asking { link: &mut link, port: &port, deadline };
    let session = tokio::select! {
        session = asking.session() => session,
        () = presence.finishing() => None,
    };
    let Some((admission, connect, stream)) = session else {
        link.connection.close(var(Code::NO_ERROR), b"");
        return counters.add_ended(&link.connection);
    };
    presence.carries_session();
    let ending = Box::new(Ending {
        link,
        connect,
        stream: None,
        is_shut: false,
        close_timeout: port.server.options().close_timeout,
        presence,
        counters: Arc::clone(counters),
        runtime: Handle::current(),
        _connection: connection,
        _alive: alive,
    });
    match admission.serve(SessionStream::new(ending, stream)).await {
        Ok(socket) if socket.transport() == TransportKind::Polling => {
            Counters::add(&counters.probes);
        }
        Ok(_) => Counters::add(&counters.opened),
        Err(error) => log!(debug: %error, "no session"),
    }
    drop(pending);
}

/// The handshake of QUIC, and our settings.
async fn shake_hands(connecting: Connecting, port: &Port) -> Option<Link> {
    let connection = connecting.await.inspect_err(|error| log!(debug: %error, "no handshake"));
    let connection = connection.ok()?;
    let mut control = connection.open_uni().await.ok()?;
    let options = port.server.options();
    let settings = settings::control_stream(options.max_header_bytes as u64);
    control.write_all(&settings).await.ok()?;
    let limits =
        Limits { max_header_bytes: options.max_header_bytes, timeout: options.upgrade_timeout };
    Some(Link::new(connection, control, limits, Arc::clone(&port.counters)))
}

/// A connection whose client has not asked for a session, or in vain.
struct Asking<'a> {
    link: &'a mut Link,
    port: &'a Port,
    deadline: Instant,
}

/// A session that may begin: where its CONNECT was answered, and its stream, if that is there.
type Begun = (engineio::Admission, SendStream, Option<(SendStream, RecvStream)>);

impl Asking<'_> {
    /// Answers requests until one is for a session that may begin. `None`: the connection is to be
    /// closed.
    async fn session(mut self) -> Option<Begun> {
        loop {
            let event = timeout_at(self.deadline, poll_fn(|cx| self.link.poll(cx))).await;
            let Ok(event) = event else {
                Counters::add(&self.port.counters.timed_out);
                return None;
            };
            match event {
                Event::End(_) => return None,
                // a stream belongs to the CONNECT before it, and was refused with it
                Event::Stream(..) => {}
                Event::Connect(head, mut send) => {
                    let mut stream = None;
                    let (status, retry) = match self.admit(&head, &mut stream).await? {
                        Ok(admission) => {
                            let draft = ("sec-webtransport-http3-draft", "draft02");
                            let written = send.write_all(&response(200, &[draft])).await;
                            return written.ok().map(|()| (admission, send, stream));
                        }
                        Err(refused) => refused,
                    };
                    self.port.counters.add_refused(status);
                    let retry = retry.map(|seconds| seconds.to_string());
                    let more: Vec<_> =
                        retry.iter().map(|seconds| ("retry-after", &**seconds)).collect();
                    let refusal = response(status, &more);
                    let written = timeout_at(self.deadline, send.write_all(&refusal)).await;
                    if let Ok(Ok(())) = written {
                        let _ = send.finish();
                    }
                    self.link.refused();
                }
            }
        }
    }

    /// Asks whether a session may begin; a status, and seconds, if it may not. `None`: the client is
    /// gone.
    async fn admit(
        &mut self,
        head: &Head,
        stream: &mut Option<(SendStream, RecvStream)>,
    ) -> Option<Result<engineio::Admission, (u16, Option<u64>)>> {
        let peer = self.link.connection.remote_address();
        let request = match request(head, &self.port.server) {
            Ok(mut request) => {
                request.extensions_mut().insert(RemoteAddr(peer));
                request.extensions_mut().insert(Secure);
                Request::from(request)
            }
            Err(status) => return Some(Err((status, None))),
        };
        let admit = self.port.server.admit(request);
        tokio::pin!(admit);
        loop {
            tokio::select! {
                biased;
                admitted = &mut admit => {
                    return Some(admitted.map_err(|error| {
                        let retry = match error {
                            AdmitError::TooFast(wait) => Some(wait.as_secs() + 1),
                            _ => None,
                        };
                        (error.status(), retry)
                    }));
                }
                event = poll_fn(|cx| self.link.poll(cx)) => match event {
                    Event::End(_) => return None,
                    Event::Stream(send, recv) => *stream = Some((send, recv)),
                    // the link refuses a second one
                    Event::Connect(..) => {}
                },
            }
        }
    }
}

/// The request of a handshake, or the status that refuses it.
fn request(head: &Head, server: &engineio::Server) -> Result<http::Request<()>, u16> {
    let target = head.path.as_deref().unwrap_or("/");
    let uri: http::Uri = target.parse().map_err(|_| 400_u16)?;
    if !target.starts_with('/') || !server.serves(uri.path()) {
        return Err(404);
    }
    let asks_for_other = engineio::query_pairs(uri.query().unwrap_or_default())
        .any(|(name, value)| name == "EIO" && value != "4");
    if asks_for_other {
        // WebTransport came with protocol 4
        return Err(400);
    }
    if head.fields.len() > server.options().max_header_fields {
        return Err(431);
    }
    let mut request = http::Request::connect(uri);
    if let Some(authority) = &head.authority {
        // RFC 9114 4.3.1
        request = request.header(http::header::HOST, authority);
    }
    for (name, value) in head.fields.iter().filter(|(name, _)| name != b"host") {
        request = request.header(&name[..], &value[..]);
    }
    request.body(()).map_err(|_| 400)
}
