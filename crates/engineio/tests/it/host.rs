//! A server under test, with an application that notes what happens to it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::time::Duration;

use engineio::{
    Application, CloseDetail, CloseReason, Context, IntoApplication, Limit, Listener, Message,
    NotFound, Options, Server, Socket, Stats,
};
use testkit::{Connector, Throttled};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How clients reach the server. The session's task differs in how it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    /// Streams in memory, for a paused clock.
    Memory,
    /// TCP, where whoever sends writes.
    Tcp,
    /// TCP behind a stream of another type, as with TLS.
    Boxed,
}

/// Runs a conversation over each [`Road`].
macro_rules! roads {
    ($(#[$doc:meta])* async fn $name:ident($road:ident: Road) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn conversation($road: Road) $body

            #[tokio::test(start_paused = true)]
            async fn memory() {
                conversation(Road::Memory).await;
            }

            #[tokio::test]
            async fn tcp() {
                conversation(Road::Tcp).await;
            }

            #[tokio::test]
            async fn boxed() {
                conversation(Road::Boxed).await;
            }
        }
    };
}

/// A server and the way to it.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) net: Connector,
    pub(crate) log: Log,
}

impl Host {
    /// An echo, over streams in memory.
    pub(crate) fn echo(options: Options) -> Self {
        let log = Log::default();
        Self::memory(options, log.clone(), log.application(echo))
    }

    /// An application that only notes, over streams in memory.
    pub(crate) fn silent(options: Options) -> Self {
        let log = Log::default();
        Self::memory(options, log.clone(), log.application(|_, _| {}))
    }

    pub(crate) fn memory(options: Options, log: Log, application: impl IntoApplication) -> Self {
        Self::over(options, log, application, |stream| stream)
    }

    /// An echo, over streams in memory that pass a few bytes at a time.
    pub(crate) fn throttled(options: Options, bytes: usize) -> Self {
        let log = Log::default();
        let application = log.application(echo);
        Self::over(options, log, application, move |stream| Throttled::new(stream, bytes))
    }

    fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        options: Options,
        log: Log,
        application: impl IntoApplication,
        wrap: impl Fn(DuplexStream) -> S + Send + Sync + 'static,
    ) -> Self {
        let server = server(options, application);
        let engine = server.clone();
        let net = Connector::new(move |stream| {
            let (engine, stream) = (engine.clone(), wrap(stream));
            tokio::spawn(async move {
                let service = engine.fallback(NotFound);
                engine.serve_connection(stream, peer(), service).await;
            });
        });
        Self { server, net: net.with_path("/engine.io/"), log }
    }

    /// An echo over any road.
    pub(crate) async fn echo_on(road: Road, options: Options) -> Self {
        let log = Log::default();
        let application = log.application(echo);
        Self::on(road, options, log, application).await
    }

    pub(crate) async fn on(
        road: Road,
        options: Options,
        log: Log,
        application: impl IntoApplication,
    ) -> Self {
        if road == Road::Memory {
            return Self::memory(options, log, application);
        }
        let server = server(options, application);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let attached = match road {
            Road::Boxed => server.attach(BoxedListener(listener)),
            _ => server.attach(listener),
        };
        let net = Connector::tcp(attached.unwrap().local_addr()).with_path("/engine.io/");
        Self { server, net, log }
    }

    /// The session that was opened last.
    ///
    /// Over TCP the client may have its open packet a moment before the application is told.
    pub(crate) fn socket(&self) -> Socket {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(socket) = self.log.0.sockets.lock().unwrap().last() {
                return socket.clone();
            }
            assert!(std::time::Instant::now() < deadline, "a session was opened");
            std::thread::yield_now();
        }
    }

    /// Sends a text to the session that was opened last.
    #[track_caller]
    pub(crate) fn say(&self, text: &str) {
        self.socket().send(Message::Text(text)).expect("the session is open");
    }

    pub(crate) fn stats(&self) -> Stats {
        self.server.stats()
    }

    /// Expects what the application was told since the last time.
    #[track_caller]
    pub(crate) fn expect(&self, events: &[&str]) {
        assert_eq!(self.log.take(), events);
    }

    /// Waits until no session is left, a short time only.
    pub(crate) async fn expect_no_sessions(&self) {
        for _ in 0..200 {
            if self.stats().sessions == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} sessions are left", self.stats().sessions);
    }

    /// Ends the server: nothing may be left of any session or connection.
    pub(crate) async fn end(self) {
        let closing = async { self.server.close().await };
        let ended = tokio::time::timeout(Duration::from_secs(120), closing).await;
        ended.expect("the server ends when all its connections do");
        assert_eq!(self.stats().sessions, 0);
        let stats = self.stats();
        assert_eq!(
            stats.opened,
            stats.closed.iter().map(|(_, count)| count).sum::<u64>(),
            "every session that was opened was closed once: {stats:?}"
        );
    }
}

fn server(options: Options, application: impl IntoApplication) -> Server {
    let server = Server::new(options).unwrap();
    assert!(server.on_connection(application));
    server
}

fn peer() -> SocketAddr {
    ([203, 0, 113, 7], 5000).into()
}

/// Sends back what comes.
pub(crate) fn echo(socket: &Socket, message: Message<'_>) {
    let _ = socket.send(message);
}

/// What the applications of a server were told.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Default)]
struct Inner {
    events: Mutex<Vec<String>>,
    sockets: Mutex<Vec<Socket>>,
    polls: AtomicUsize,
    noted: Notify,
}

impl Log {
    /// What makes applications that note here.
    pub(crate) fn application(
        &self,
        on_message: impl Fn(&Socket, Message<'_>) + Clone + Send + Sync + 'static,
    ) -> impl IntoApplication {
        let log = self.clone();
        move |socket: &Socket| -> Box<dyn Application> {
            let (log, socket) = (log.clone(), socket.clone());
            Box::new(Recorder { log, socket, on_message: on_message.clone() })
        }
    }

    pub(crate) fn note(&self, event: impl Into<String>) {
        self.0.events.lock().unwrap().push(event.into());
        self.0.noted.notify_waiters();
    }

    pub(crate) fn note_open(&self, socket: &Socket) {
        self.0.sockets.lock().unwrap().push(socket.clone());
        self.note("open");
    }

    pub(crate) fn note_close(&self, reason: CloseReason, detail: Option<CloseDetail>) {
        self.note(match detail {
            None => format!("close: {reason}"),
            Some(detail) => format!("close: {reason}, {detail:?}"),
        });
    }

    /// The sessions that were opened, in order.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        self.0.sockets.lock().unwrap().clone()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.events.lock().unwrap())
    }

    /// How often sessions' tasks had a turn.
    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(Relaxed)
    }

    /// Waits for the end of a session, and gives what was noted until then.
    #[track_caller]
    pub(crate) fn closed(&self) -> impl Future<Output = Vec<String>> {
        self.until(|event| event.starts_with("close"))
    }

    /// Waits for an event, and gives what was noted until then, and just after it.
    #[track_caller]
    pub(crate) fn until(&self, is_it: impl Fn(&str) -> bool) -> impl Future<Output = Vec<String>> {
        let at = std::panic::Location::caller();
        async move {
            let wait = async {
                loop {
                    let noted = self.0.noted.notified();
                    if self.0.events.lock().unwrap().iter().any(|event| is_it(event)) {
                        return self.take();
                    }
                    noted.await;
                }
            };
            let noted = tokio::time::timeout(Duration::from_secs(10), wait).await;
            noted.unwrap_or_else(|_| panic!("{at}: still {:?}", self.take()))
        }
    }
}

struct Recorder<F> {
    log: Log,
    socket: Socket,
    on_message: F,
}

impl<F> Application for Recorder<F>
where
    F: Fn(&Socket, Message<'_>) + Send + 'static,
{
    fn on_open(&mut self, _: &mut Context<'_>) {
        self.log.note_open(&self.socket);
    }

    fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
        match &message {
            Message::Text(text) if text.len() <= 40 => self.log.note(*text),
            Message::Text(text) => self.log.note(format!("{} bytes", text.len())),
            Message::Binary(bytes) if bytes.len() <= 8 => self.log.note(format!("{bytes:?}")),
            Message::Binary(bytes) => self.log.note(format!("{} binary bytes", bytes.len())),
        }
        (self.on_message)(&self.socket, message);
    }

    fn poll(&mut self, _: &mut Context<'_>) {
        self.log.0.polls.fetch_add(1, Relaxed);
    }

    fn on_rate_limited(&mut self, limit: Limit, _: &mut Context<'_>) {
        self.log.note(format!("limited: {}", limit.option()));
    }

    fn on_close(&mut self, reason: CloseReason, detail: Option<CloseDetail>, _: &mut Context<'_>) {
        self.log.note_close(reason, detail);
    }
}

/// Lets the paused clock run, from one deadline to the next.
pub(crate) async fn advance(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A listener whose streams are of a type that the engine does not know.
struct BoxedListener(TcpListener);

impl Listener for BoxedListener {
    type Io = Boxed;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Boxed, SocketAddr)>> {
        let (stream, peer) = ready!(Listener::poll_accept(&mut self.0, cx))?;
        Poll::Ready(Ok((Boxed(Box::pin(stream)), peer)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A stream of any type.
pub(crate) struct Boxed(Pin<Box<dyn Stream>>);

impl AsyncRead for Boxed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Boxed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}
