//! Functions among the options: what decides about handshakes and origins, and what makes ids.
//!
//! Each trait is implemented for sync and for async functions, which the parameter `M` keeps
//! apart; it is always inferred, and never named by users. The engine keeps them as objects of the
//! trait's default form, [`ObjectForm`].
//!
//! Async closures are taken as `FnOnce + Clone` and cloned for each call, as axum does: a closure
//! that lends what it captured to its future is no `Fn`, but can always be consumed.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use engineio_proto::log;
use futures_util::FutureExt as _;

use crate::options::refused::Refused;
use crate::request::Request;

/// A future of a function among the options.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Decides about each handshake, on both transports: the option `allow_request`.
///
/// A function that takes the [`Request`] and gives `Result<(), Refused>`, sync or async; or a type
/// of one's own, by [`AllowRequest::allow`].
///
/// ```
/// use engineio::{Options, Refused, Request};
///
/// async fn is_banned(request: &Request) -> bool {
///     request.header("x-banned").is_some()
/// }
///
/// let mut options = Options::default();
/// options.set_allow_request(async |request: Request| match is_banned(&request).await {
///     true => Err(Refused::with("banned")),
///     false => Ok(()),
/// });
/// options.set_allow_request(|request: Request| match request.query().contains("token=x") {
///     true => Ok(()),
///     false => Err(Refused::forbidden()),
/// });
/// ```
// Node 2.0: allowRequest
#[diagnostic::on_unimplemented(
    message = "this does not decide about handshakes",
    label = "no function of a `Request` that gives `Result<(), Refused>`",
    note = "a decision is `|request: Request| -> Result<(), Refused>`, or `async`; the types of its \
            arguments are written out"
)]
pub trait AllowRequest<M: 'static = ObjectForm>: Send + Sync + 'static {
    /// Called once for each handshake, before the session exists.
    fn allow(&self, request: Request) -> BoxFuture<'_, Result<(), Refused>>;

    /// The object that the options keep.
    #[doc(hidden)]
    fn shared(self) -> Arc<dyn AllowRequest>
    where
        Self: Sized,
    {
        Arc::new(Erased(self, PhantomData))
    }
}

/// Decides about an origin: what [`crate::Origins::check`] takes.
///
/// A function that takes the origin and the [`Request`] and gives `Result<(), Refused>`, sync or
/// async; or a type of one's own, by [`OriginCheck::check`].
// Node 2.0: server.origins
#[diagnostic::on_unimplemented(
    message = "this does not decide about origins",
    label = "no function of the origin and a `Request` that gives `Result<(), Refused>`",
    note = "a decision is `|origin: String, request: Request| -> Result<(), Refused>`, or `async`; \
            the types of its arguments are written out"
)]
pub trait OriginCheck<M: 'static = ObjectForm>: Send + Sync + 'static {
    /// `origin` is the `Origin` header, else the `Referer`, else `*`.
    fn check(&self, origin: String, request: Request) -> BoxFuture<'_, Result<(), Refused>>;

    /// The object that the options keep.
    #[doc(hidden)]
    fn shared(self) -> Arc<dyn OriginCheck>
    where
        Self: Sized,
    {
        Arc::new(Erased(self, PhantomData))
    }
}

/// Makes session ids: the option `generate_id`.
///
/// A function that takes the [`Request`] and gives an id, or a `Result` with one, sync or async;
/// or a type of one's own, by [`GenerateId::generate`].
///
/// An id may have any form, but must not be guessable: on polling it is all that a client shows.
/// One that a live session has is drawn again once, then the handshake is refused with HTTP 400,
/// code 3; so it is if the function gives an error.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use engineio::{Options, Request};
///
/// let mut options = Options::default();
/// let count = AtomicU64::new(0);
/// options.set_generate_id(move |_: Request| {
///     format!("{}-{}", count.fetch_add(1, Ordering::Relaxed), engineio::random_id())
/// });
/// options.set_generate_id(async |request: Request| {
///     let user = request.header("x-user").ok_or("no user")?;
///     Ok::<_, &str>(format!("{user}-{}", engineio::random_id()))
/// });
/// ```
// Node 2.0: server.engine.generateId
#[diagnostic::on_unimplemented(
    message = "this makes no session ids",
    label = "no function of a `Request` that gives a `String`, or a `Result` with one",
    note = "ids are made by `|request: Request| -> String`, or `async`, or with a `Result` of the \
            id and any error that is `Display`; the types of its arguments are written out"
)]
pub trait GenerateId<M: 'static = ObjectForm>: Send + Sync + 'static {
    /// Called once for each session, and once more if its id is in use.
    fn generate(&self, request: Request) -> BoxFuture<'_, Result<String, String>>;

    /// The object that the options keep.
    #[doc(hidden)]
    fn shared(self) -> Arc<dyn GenerateId>
    where
        Self: Sized,
    {
        Arc::new(Erased(self, PhantomData))
    }
}

/// Chooses a subprotocol: what [`crate::Subprotocols::choose`] takes.
///
/// A function that takes what the client offers, in its order, and the [`Request`] that asks for the
/// WebSocket, and gives one of the offers, or none, sync or async; or a type of one's own, by
/// [`SubprotocolChoice::choose`].
// Node: ws, handleProtocols
#[diagnostic::on_unimplemented(
    message = "this does not choose a subprotocol",
    label = "no function of the offers and a `Request` that gives an `Option<String>`",
    note = "a choice is `|offers: Vec<String>, request: Request| -> Option<String>`, or `async`; the \
            types of its arguments are written out"
)]
pub trait SubprotocolChoice<M: 'static = ObjectForm>: Send + Sync + 'static {
    /// What is not among `offers` counts as none.
    fn choose(&self, offers: Vec<String>, request: Request) -> BoxFuture<'_, Option<String>>;

    /// The object that the options keep.
    #[doc(hidden)]
    fn shared(self) -> Arc<dyn SubprotocolChoice>
    where
        Self: Sized,
    {
        Arc::new(Erased(self, PhantomData))
    }
}

/// What a function that makes ids may give: an id, or a `Result` with one.
pub trait SessionId {
    /// The id, or what is logged.
    ///
    /// # Errors
    /// The function failed.
    fn into_id(self) -> Result<String, String>;
}

impl SessionId for String {
    fn into_id(self) -> Result<String, String> {
        Ok(self)
    }
}

impl<E: fmt::Display> SessionId for Result<String, E> {
    fn into_id(self) -> Result<String, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Marks types that implement a trait of functions themselves.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker, never made")]
pub enum ObjectForm {}

/// Marks sync functions.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker, never made")]
pub enum SyncForm {}

/// Marks async functions.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a marker, never made")]
pub enum AsyncForm {}

impl<F> AllowRequest<SyncForm> for F
where
    F: Fn(Request) -> Result<(), Refused> + Send + Sync + 'static,
{
    fn allow(&self, request: Request) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move { self(request) })
    }
}

impl<F, Fut> AllowRequest<AsyncForm> for F
where
    F: FnOnce(Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Refused>> + Send + 'static,
{
    fn allow(&self, request: Request) -> BoxFuture<'_, Result<(), Refused>> {
        let function = self.clone();
        Box::pin(async move { function(request).await })
    }
}

impl<F> OriginCheck<SyncForm> for F
where
    F: Fn(String, Request) -> Result<(), Refused> + Send + Sync + 'static,
{
    fn check(&self, origin: String, request: Request) -> BoxFuture<'_, Result<(), Refused>> {
        Box::pin(async move { self(origin, request) })
    }
}

impl<F, Fut> OriginCheck<AsyncForm> for F
where
    F: FnOnce(String, Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Refused>> + Send + 'static,
{
    fn check(&self, origin: String, request: Request) -> BoxFuture<'_, Result<(), Refused>> {
        let function = self.clone();
        Box::pin(async move { function(origin, request).await })
    }
}

impl<F, R> GenerateId<SyncForm> for F
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: SessionId,
{
    fn generate(&self, request: Request) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async move { self(request).into_id() })
    }
}

impl<F, Fut> GenerateId<AsyncForm> for F
where
    F: FnOnce(Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: SessionId> + Send + 'static,
{
    fn generate(&self, request: Request) -> BoxFuture<'_, Result<String, String>> {
        let function = self.clone();
        Box::pin(async move { function(request).await.into_id() })
    }
}

impl<F> SubprotocolChoice<SyncForm> for F
where
    F: Fn(Vec<String>, Request) -> Option<String> + Send + Sync + 'static,
{
    fn choose(&self, offers: Vec<String>, request: Request) -> BoxFuture<'_, Option<String>> {
        Box::pin(async move { self(offers, request) })
    }
}

impl<F, Fut> SubprotocolChoice<AsyncForm> for F
where
    F: FnOnce(Vec<String>, Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Option<String>> + Send + 'static,
{
    fn choose(&self, offers: Vec<String>, request: Request) -> BoxFuture<'_, Option<String>> {
        let function = self.clone();
        Box::pin(async move { function(offers, request).await })
    }
}

/// A function of any form as an object.
struct Erased<F, M>(F, PhantomData<fn() -> M>);

impl<F: AllowRequest<M>, M: 'static> AllowRequest for Erased<F, M> {
    fn allow(&self, request: Request) -> BoxFuture<'_, Result<(), Refused>> {
        self.0.allow(request)
    }
}

impl<F: OriginCheck<M>, M: 'static> OriginCheck for Erased<F, M> {
    fn check(&self, origin: String, request: Request) -> BoxFuture<'_, Result<(), Refused>> {
        self.0.check(origin, request)
    }
}

impl<F: GenerateId<M>, M: 'static> GenerateId for Erased<F, M> {
    fn generate(&self, request: Request) -> BoxFuture<'_, Result<String, String>> {
        self.0.generate(request)
    }
}

impl<F: SubprotocolChoice<M>, M: 'static> SubprotocolChoice for Erased<F, M> {
    fn choose(&self, offers: Vec<String>, request: Request) -> BoxFuture<'_, Option<String>> {
        self.0.choose(offers, request)
    }
}

impl fmt::Debug for dyn AllowRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllowRequest")
    }
}

impl fmt::Debug for dyn GenerateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GenerateId")
    }
}

/// Runs a function of the user; `Err` if it panicked.
pub(crate) async fn catch_panic<T>(call: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(call).catch_unwind().await.map_err(|payload| {
        let _ = engineio_proto::guard::Panicked::with(payload);
        log!(error: "a function among the options panicked");
        Panicked
    })
}

/// A function of the user panicked; it is logged.
pub(crate) struct Panicked;
