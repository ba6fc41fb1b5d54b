//! Which subprotocol a WebSocket gets: the option `subprotocols`.
//!
//! None has a meaning for Engine.IO. But browsers, and the official client's option `protocols`, fail
//! if one was offered and none is selected.

use std::fmt;
use std::sync::Arc;

use engineio_proto::log;
use engineio_proto::websocket::handshake;

use crate::options::error::OptionsError;
use crate::options::functions::{self, Panicked, SubprotocolChoice};
use crate::request::Request;

/// Which of the subprotocols that a client offers in `Sec-WebSocket-Protocol` is selected, for
/// sessions that begin with WebSocket and for those that change to it.
#[derive(Clone, Default)]
pub struct Subprotocols(Rule);

#[derive(Clone, Default)]
enum Rule {
    #[default]
    First,
    None,
    List(Arc<[Box<str>]>),
    Choice(Arc<dyn SubprotocolChoice>),
}

impl Subprotocols {
    /// The client's first (the default), as the official server does.
    // Node: ws, handleProtocols
    #[must_use]
    pub fn first() -> Self {
        Self(Rule::First)
    }

    /// None at all: clients that insist on one do not connect by WebSocket.
    #[must_use]
    pub fn none() -> Self {
        Self(Rule::None)
    }

    /// The client's first that is in this list; none, if there is none. Names are compared with case.
    ///
    /// ```
    /// use engineio::Subprotocols;
    ///
    /// let ours = Subprotocols::list(["chat.v2", "chat.v1"])?;
    /// # let _ = ours;
    /// # Ok::<(), engineio::OptionsError>(())
    /// ```
    ///
    /// # Errors
    /// [`OptionsError::Subprotocol`] with the name that can be none, or if the list is empty.
    pub fn list<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Result<Self, OptionsError> {
        let names: Vec<Box<str>> = names.into_iter().map(|name| name.into().into()).collect();
        if names.is_empty() {
            return Err(OptionsError::Zero("subprotocols"));
        }
        match names.iter().find(|name| !handshake::is_token(name)) {
            Some(wrong) => Err(OptionsError::Subprotocol(wrong.to_string())),
            None => Ok(Self(Rule::List(names.into()))),
        }
    }

    /// What a function says, which may take its time; see [`SubprotocolChoice`] for its forms. It is
    /// asked when a client offers some, once the request has passed everything else.
    ///
    /// ```
    /// use engineio::{Request, Subprotocols};
    ///
    /// Subprotocols::choose(|offers: Vec<String>, _: Request| {
    ///     offers.into_iter().rfind(|offer| offer.starts_with("chat."))
    /// });
    /// ```
    #[must_use]
    pub fn choose<M: 'static>(choice: impl SubprotocolChoice<M>) -> Self {
        Self(Rule::Choice(choice.shared()))
    }

    /// The one that is selected of a well-formed list. The function sees the request that asks for
    /// the WebSocket.
    pub(crate) async fn select(
        &self,
        list: &str,
        request: impl FnOnce() -> Request,
    ) -> Result<Option<String>, Panicked> {
        let mut offers = handshake::subprotocols(list);
        Ok(match &self.0 {
            Rule::None => None,
            Rule::First => offers.next().map(str::to_owned),
            Rule::List(names) => {
                offers.find(|offer| names.iter().any(|name| **name == **offer)).map(str::to_owned)
            }
            Rule::Choice(choice) => {
                let offers: Vec<_> = offers.map(str::to_owned).collect();
                let call = async { choice.choose(offers, request()).await };
                let chosen = functions::catch_panic(call).await?;
                // RFC 6455 4.2.2: nothing but what the client offered
                chosen.filter(|name| {
                    let is_offered = handshake::subprotocols(list).any(|offer| offer == name);
                    if !is_offered {
                        log!(warn:
                            name,
                            "a subprotocol was chosen that the client did not offer"
                        );
                    }
                    is_offered
                })
            }
        })
    }
}

impl fmt::Debug for Subprotocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::First => f.write_str("First"),
            Rule::None => f.write_str("None"),
            Rule::List(names) => f.debug_tuple("List").field(names).finish(),
            Rule::Choice(_) => f.write_str("Choice"),
        }
    }
}
