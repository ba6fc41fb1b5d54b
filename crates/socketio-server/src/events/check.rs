//! `check_handler!`: what of a handler is not as it must be, one thing at a time, so that the compiler
//! can point at it. `Handler` is implemented for functions of every length, sync and async, of
//! which the compiler only says that none fits.

use std::future::Future;

use crate::events::extract::FromEvent;
use crate::events::handler::IntoReply;

/// Gives back the handler that it is given, and lets the compiler say what is wrong with it: at the
/// argument that is no extractor, at what is returned, or at what is captured. It costs nothing when the
/// program runs, and may stay.
///
/// ```
/// use socketio::events::check_handler;
/// use socketio::{Data, Server, Socket};
///
/// async fn add_user(socket: Socket, Data(name): Data<String>) {
///     socket.to("lobby").emit("user joined", name).ok();
/// }
///
/// # fn example(io: Server) {
/// io.on_connection(check_handler!(|socket: Socket| {
///     socket.on("chat message", check_handler!(|Data(text): Data<String>| println!("{text}")));
///     socket.on("add user", check_handler!(add_user));
/// }));
/// # }
/// ```
///
/// Without it, the compiler says of a handler of `text: String` that it is no handler, and lists what
/// handlers may be; with it, that `String` is no argument of a handler:
///
/// ```compile_fail
/// # use socketio::{events::check_handler, Server, Socket};
/// # fn example(socket: Socket) {
/// socket.on("chat message", check_handler!(|socket: Socket, text: String| println!("{text}")));
/// # }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __check_handler {
    // closures: their arguments one by one, where their types are written
    (async move || $($rest:tt)*) => {
        $crate::__check_handler!(@closure asynchronous (async move || $($rest)*) ())
    };
    (async || $($rest:tt)*) => {
        $crate::__check_handler!(@closure asynchronous (async || $($rest)*) ())
    };
    (move || $($rest:tt)*) => {
        $crate::__check_handler!(@closure synchronous (move || $($rest)*) ())
    };
    (|| $($rest:tt)*) => { $crate::__check_handler!(@closure synchronous (|| $($rest)*) ()) };
    (async move | $($rest:tt)*) => {
        $crate::__check_handler!(@argument asynchronous (async move | $($rest)*) () $($rest)*)
    };
    (async | $($rest:tt)*) => {
        $crate::__check_handler!(@argument asynchronous (async | $($rest)*) () $($rest)*)
    };
    (move | $($rest:tt)*) => {
        $crate::__check_handler!(@argument synchronous (move | $($rest)*) () $($rest)*)
    };
    (| $($rest:tt)*) => {
        $crate::__check_handler!(@argument synchronous (| $($rest)*) () $($rest)*)
    };

    // the compiler says of this that an implementation is not general enough
    (@argument $kind:ident $closure:tt $types:tt : Data<& $($rest:tt)*) => {
        compile_error!(
            "`Data<&_>` borrows: what a client sent is read as an owned type that implements \
             `Deserialize`, such as `Data<String>` or `Data<Vec<u8>>`"
        )
    };

    // an argument's type stands behind its colon, the last one's in front of the bar
    (@argument $kind:ident $closure:tt ($($type:ty,)*) : $next:ty, | $($rest:tt)*) => {
        $crate::__check_handler!(@closure $kind $closure ($($type,)* $next,))
    };
    (@argument $kind:ident $closure:tt ($($type:ty,)*) : $next:ty, $($rest:tt)*) => {
        $crate::__check_handler!(@argument $kind $closure ($($type,)* $next,) $($rest)*)
    };
    (@argument $kind:ident $closure:tt ($($type:ty,)*) : $next:ty | $($rest:tt)*) => {
        $crate::__check_handler!(@closure $kind $closure ($($type,)* $next,))
    };
    // one without a type: the compiler asks for it
    (@argument $kind:ident ($($closure:tt)*) $types:tt , $($rest:tt)*) => {
        $crate::__check_handler!(@any $($closure)*)
    };
    (@argument $kind:ident ($($closure:tt)*) $types:tt | $($rest:tt)*) => {
        $crate::__check_handler!(@any $($closure)*)
    };
    // a part of an argument's pattern
    (@argument $kind:ident $closure:tt $types:tt $pattern:tt $($rest:tt)*) => {
        $crate::__check_handler!(@argument $kind $closure $types $($rest)*)
    };

    (@closure $kind:ident ($($closure:tt)*) ($($type:ty,)*)) => {{
        $($crate::events::__check::argument::<$type>();)*
        let handler = $($closure)*;
        $crate::events::__check::$kind::<($($type,)*), _>(&handler);
        handler
    }};
    (@any $handler:expr) => {{
        let handler = $handler;
        $crate::events::__check::arguments(&handler);
        $crate::events::__check::either(&handler);
        handler
    }};
    ($handler:expr) => { $crate::__check_handler!(@any $handler) };
}

/// The calls of the macro, each with bounds of which the compiler says which does not hold.
#[doc(hidden)]
pub mod calls {
    use super::{Arguments, Async, FromEvent, Function, Future, IntoReply, Kept, Plain, Returned};

    pub const fn argument<T: FromEvent>() {}

    pub const fn arguments<A: Arguments, F: Function<A>>(_: &F) {}

    pub const fn synchronous<A, F>(_: &F)
    where
        F: Function<A, Output: IntoReply> + Kept<A, Plain>,
    {
    }

    pub const fn asynchronous<A, F>(_: &F)
    where
        F: Function<A, Output: Future<Output: IntoReply> + Send> + Kept<A, Async>,
    {
    }

    pub const fn either<A, M, F: Function<A, Output: Returned<M>> + Kept<A, M>>(_: &F) {}
}

/// A function of this tuple of arguments, whatever they are.
#[doc(hidden)]
#[expect(unnameable_types, reason = "a bound of the macro's calls")]
pub trait Function<A> {
    /// What it returns.
    type Output;
}

/// Arguments that can all be extracted.
#[doc(hidden)]
#[expect(unnameable_types, reason = "a bound of the macro's calls")]
pub trait Arguments {}

/// What a function returns of this kind.
#[doc(hidden)]
#[expect(unnameable_types, reason = "a bound of the macro's calls")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a handler",
    note = "return `()`, `Reply(value)` to answer the client, a `Result` of these with any error, or a \
            future of one of these that is `Send`: `Rc` and locks are not held across an `.await`"
)]
pub trait Returned<M> {}

impl<R: IntoReply> Returned<Plain> for R {}
impl<R: Future<Output: IntoReply> + Send> Returned<Async> for R {}

/// A function of this kind that can be kept, for all sockets, and called again and again.
#[doc(hidden)]
#[expect(unnameable_types, reason = "a bound of the macro's calls")]
pub trait Kept<A, M> {}

/// Marks functions that answer at once.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct Plain;

/// Marks functions that give a future.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "users let it be inferred")]
pub struct Async;

macro_rules! functions {
    ($($argument:ident),*) => {
        impl<F: FnOnce($($argument),*) -> R, R, $($argument),*> Function<($($argument,)*)> for F {
            type Output = R;
        }

        impl<$($argument: FromEvent),*> Arguments for ($($argument,)*) {}

        impl<F, R, $($argument),*> Kept<($($argument,)*), Plain> for F
        where
            F: Fn($($argument),*) -> R + Send + Sync + 'static,
        {
        }

        impl<F, R, $($argument),*> Kept<($($argument,)*), Async> for F
        where
            F: FnOnce($($argument),*) -> R + Clone + Send + Sync + 'static,
        {
        }
    };
}

functions!();
functions!(A);
functions!(A, B);
functions!(A, B, C);
functions!(A, B, C, D);
functions!(A, B, C, D, E);
functions!(A, B, C, D, E, G);
functions!(A, B, C, D, E, G, H);
functions!(A, B, C, D, E, G, H, I);
functions!(A, B, C, D, E, G, H, I, J);
functions!(A, B, C, D, E, G, H, I, J, K);
functions!(A, B, C, D, E, G, H, I, J, K, L);
functions!(A, B, C, D, E, G, H, I, J, K, L, N);
