//! Handlers: functions and closures, sync and async, of typed arguments.
//!
//! A sync handler runs at once. An async one is polled at once by the session's task; what is left
//! of it then joins the task's pending futures. So the code before the first `.await` has the order
//! of the events, and a quick handler costs no task.

use std::future::Future;
use std::marker::PhantomData;
use std::mem::needs_drop;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::error::BoxError;
use crate::events::context::{Ack, Acknowledge, EventContext};
use crate::events::error::ExtractError;
use crate::events::extract::FromEvent;
use crate::events::given::Given;
use crate::socket::Socket;

/// A handler of events: any function or closure, sync or async, of up to twelve
/// [extractors](FromEvent) whose result is an [`IntoReply`].
///
/// Sync closures are called by reference and may keep state in atomics or locks; async ones are
/// cloned for each call, so that the future may own what they captured.
///
/// A call of a sync handler allocates nothing but what its arguments own, one of an async handler
/// its future, and two more if that has to wait. An [`Ack`](crate::Ack) that the client asked for
/// is one, a [`Reply`] of a sync handler none.
#[diagnostic::on_unimplemented(
    message = "this is no handler of events",
    label = "an argument, the result or what is captured is of a type that handlers cannot have",
    note = "arguments are `Socket`, `Data<T>` (what the client sent, as an owned type that implements \
            `Deserialize`: `Data<String>`, not `Data<&str>`), `Args` (the same, raw), `Ack`, \
            `EventName`, `State<T>`, ... (all that implement `FromEvent`), with their types \
            written out: `|socket: Socket, Data(text): Data<String>|`",
    note = "`socketio::events::check_handler!(..)` around the handler says which it is",
    note = "results are `()`, `Reply(answer)`, or a `Result` of one of these with any error; a \
            closure that never returns, as of `todo!()`, needs one of these written out",
    note = "what is captured is `Send` and `Sync` and, by async closures, `Clone`; `Rc` and locks \
            are not held across an `.await`"
)]
pub trait Handler<M>: Send + Sync + 'static {
    /// Calls the handler.
    #[doc(hidden)]
    fn call(&self, event: &mut EventContext<'_>) -> Outcome;

    /// See [`FromEvent::missing`].
    #[doc(hidden)]
    fn missing(given: &Given<'_>) -> Option<&'static str>;

    /// See [`FromEvent::admit`].
    #[doc(hidden)]
    fn admit(&self, socket: &Socket) -> Result<(), ExtractError>;
}

/// What a handler returns.
///
/// `()` sends nothing; [`Reply`] answers the client's acknowledgement, if it asked for one; `Err`
/// raises the socket's `error` event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a handler",
    note = "return `()`, `Reply(value)` to answer the client, or a `Result` of these with any error"
)]
pub trait IntoReply {
    /// Sends the answer, if there is one.
    ///
    /// # Errors
    /// What the handler failed with, or why the answer could not be sent.
    fn into_reply(self, to: &mut impl Acknowledge) -> Result<(), BoxError>;
}

/// Answers the client's acknowledgement: a tuple is several arguments, `()` none, anything else
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by users")]
pub struct Reply<T>(pub T);

impl IntoReply for () {
    fn into_reply(self, _: &mut impl Acknowledge) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<T: Serialize> IntoReply for Reply<T> {
    fn into_reply(self, to: &mut impl Acknowledge) -> Result<(), BoxError> {
        Ok(to.answer(self.0)?)
    }
}

impl<R: IntoReply, E: Into<BoxError>> IntoReply for Result<R, E> {
    fn into_reply(self, to: &mut impl Acknowledge) -> Result<(), BoxError> {
        self.map_err(Into::into)?.into_reply(to)
    }
}

/// What became of a call.
#[doc(hidden)]
#[expect(missing_debug_implementations, unnameable_types, reason = "not for users")]
pub enum Outcome {
    /// It is finished.
    Done(Result<(), BoxError>),
    /// It is an async handler, not polled yet.
    Pending(Pending),
}

pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

/// An async handler failed; here is whom it may still be told to.
#[doc(hidden)]
#[expect(missing_debug_implementations, unnameable_types, reason = "not for users")]
pub struct Failed {
    pub(crate) error: BoxError,
    pub(crate) ack: Ack,
}

/// A handler without its type.
pub(crate) trait AnyHandler: Send + Sync {
    fn call(&self, event: &mut EventContext<'_>) -> Outcome;
    fn admit(&self, socket: &Socket) -> Result<(), ExtractError>;
}

/// A handler that has lost its type, shared by the tables that hold it.
#[derive(Clone)]
pub(crate) enum SharedHandler {
    /// One that captured nothing, as most do: it takes no memory, however many sockets have it.
    Plain(&'static dyn AnyHandler),
    Counted(Arc<dyn AnyHandler>),
}

impl SharedHandler {
    /// Whether both do the same, as far as can be told: neither has captured anything, and they have
    /// their code in common. Types that are the same code may be one, and a type may be taken for two.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(one), Self::Plain(other)) => std::ptr::eq(*one, *other),
            _ => false,
        }
    }

    pub(crate) fn call(&self, event: &mut EventContext<'_>) -> Outcome {
        match self {
            Self::Plain(handler) => handler.call(event),
            Self::Counted(handler) => handler.call(event),
        }
    }

    pub(crate) fn admit(&self, socket: &Socket) -> Result<(), ExtractError> {
        match self {
            Self::Plain(handler) => handler.admit(socket),
            Self::Counted(handler) => handler.admit(socket),
        }
    }
}

/// A handler that is registered for an event.
///
/// # Panics
/// If it asks for state that the server was not given.
#[track_caller]
pub(crate) fn registered<M: 'static, H: Handler<M>>(
    handler: H,
    event: &str,
    given: &Given<'_>,
) -> SharedHandler {
    if let Some(missing) = H::missing(given) {
        given.panic(event, missing);
    }
    erase(handler)
}

pub(crate) fn erase<M: 'static, H: Handler<M>>(handler: H) -> SharedHandler {
    struct Typed<H, M>(H, PhantomData<fn() -> M>);
    impl<M: 'static, H: Handler<M>> AnyHandler for Typed<H, M> {
        fn call(&self, event: &mut EventContext<'_>) -> Outcome {
            self.0.call(event)
        }

        fn admit(&self, socket: &Socket) -> Result<(), ExtractError> {
            self.0.admit(socket)
        }
    }
    let typed = Typed(handler, PhantomData);
    // A box of nothing is no memory, so nothing is lost when it is not given back.
    if size_of::<H>() == 0 && !needs_drop::<H>() {
        SharedHandler::Plain(Box::leak(Box::new(typed)))
    } else {
        SharedHandler::Counted(Arc::new(typed))
    }
}

/// Marks sync handlers, to keep their implementation apart from that of async ones.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct SyncFn<A>(PhantomData<A>);

/// Marks async handlers.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct AsyncFn<A>(PhantomData<A>);

/// Extracts one argument, or ends the call with the error.
macro_rules! extract {
    ($event:ident) => {
        match FromEvent::from_event($event) {
            Ok(argument) => argument,
            Err(error) => return Outcome::Done(Err(error.into())),
        }
    };
}

/// What both kinds of handlers say of their arguments.
macro_rules! about_arguments {
    ($($argument:ident),*) => {
        fn missing(_given: &Given<'_>) -> Option<&'static str> {
            None$(.or_else(|| $argument::missing(_given)))*
        }

        fn admit(&self, _socket: &Socket) -> Result<(), ExtractError> {
            $($argument::admit(_socket)?;)*
            Ok(())
        }
    };
}

macro_rules! handlers {
    ($($argument:ident),*) => {
        impl<F, R, $($argument),*> Handler<SyncFn<($($argument,)*)>> for F
        where
            F: Fn($($argument),*) -> R + Send + Sync + 'static,
            R: IntoReply,
            $($argument: FromEvent,)*
        {
            #[allow(non_snake_case, reason = "arguments are named like their types")]
            fn call(&self, event: &mut EventContext<'_>) -> Outcome {
                $(let $argument: $argument = extract!(event);)*
                Outcome::Done(self($($argument),*).into_reply(event))
            }

            about_arguments!($($argument),*);
        }

        impl<F, Fut, $($argument),*> Handler<AsyncFn<($($argument,)*)>> for F
        where
            F: FnOnce($($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output: IntoReply> + Send + 'static,
            $($argument: FromEvent,)*
        {
            #[allow(non_snake_case, reason = "arguments are named like their types")]
            fn call(&self, event: &mut EventContext<'_>) -> Outcome {
                $(let $argument: $argument = extract!(event);)*
                let mut ack = event.ack();
                let future = self.clone()($($argument),*);
                Outcome::Pending(Box::pin(async move {
                    match future.await.into_reply(&mut ack) {
                        Ok(()) => Ok(()),
                        Err(error) => Err(Failed { error, ack }),
                    }
                }))
            }

            about_arguments!($($argument),*);
        }
    };
}

handlers!();
handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);
handlers!(A, B, C, D, E);
handlers!(A, B, C, D, E, G);
handlers!(A, B, C, D, E, G, H);
handlers!(A, B, C, D, E, G, H, I);
handlers!(A, B, C, D, E, G, H, I, J);
handlers!(A, B, C, D, E, G, H, I, J, K);
handlers!(A, B, C, D, E, G, H, I, J, K, L);
handlers!(A, B, C, D, E, G, H, I, J, K, L, N);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_what_has_nothing_to_drop_is_left_alone() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Captured;
        impl Drop for Captured {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert!(matches!(erase(|| {}), SharedHandler::Plain(_)));
        let number = 7_u8;
        assert!(matches!(erase(move || assert_eq!(number, 7)), SharedHandler::Counted(_)));
        let captured = Captured;
        let handler = erase(move || {
            let _ = &captured;
        });
        assert!(matches!(handler, SharedHandler::Counted(_)));
        let other = handler.clone();
        drop(handler);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
        drop(other);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }
}
