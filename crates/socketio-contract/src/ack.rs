//! Acknowledgements, in both directions.
//!
//! Socket.IO has no way to say that an event failed but to send an argument that says so. A
//! declared `Result<T, E>` is such an argument, an object with a tag, the same in both directions:
//! `{"ok": true, "value": ..}` or `{"ok": false, "error": ..}`.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use socketio::BoxError;
use socketio::emit::{AckError, EmitWithAck};
use socketio::events::Acknowledge;

/// What the method of an event gave, on its way to the client.
pub trait Acknowledgement {
    /// Sends it, if that is declared.
    ///
    /// # Errors
    /// Those of [`Acknowledge::answer`].
    fn send(self, to: &mut impl Acknowledge) -> Result<(), BoxError>;
}

/// No acknowledgement is declared.
#[derive(Debug)]
pub struct NoAnswer;

impl Acknowledgement for NoAnswer {
    fn send(self, _: &mut impl Acknowledge) -> Result<(), BoxError> {
        Ok(())
    }
}

/// An acknowledgement without arguments.
#[derive(Debug)]
pub struct Empty;

impl Acknowledgement for Empty {
    fn send(self, to: &mut impl Acknowledge) -> Result<(), BoxError> {
        Ok(to.answer(())?)
    }
}

/// An acknowledgement of one argument.
#[derive(Debug)]
pub struct Plain<T>(pub T);

impl<T: Serialize> Acknowledgement for Plain<T> {
    fn send(self, to: &mut impl Acknowledge) -> Result<(), BoxError> {
        Ok(to.answer((self.0,))?)
    }
}

/// An acknowledgement that says whether it is one of success.
#[derive(Debug)]
pub struct Tagged<T, E>(pub Result<T, E>);

impl<T: Serialize, E: Serialize> Acknowledgement for Tagged<T, E> {
    fn send(self, to: &mut impl Acknowledge) -> Result<(), BoxError> {
        Ok(to.answer((self,))?)
    }
}

impl<T: Serialize, E: Serialize> Serialize for Tagged<T, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Ack", 2)?;
        object.serialize_field("ok", &self.0.is_ok())?;
        match &self.0 {
            Ok(value) => object.serialize_field("value", value)?,
            Err(error) => object.serialize_field("error", error)?,
        }
        object.end()
    }
}

impl<'de, T: Deserialize<'de>, E: Deserialize<'de>> Deserialize<'de> for Tagged<T, E> {
    /// The tag may come after what it is the tag of, so both are kept until both are read.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "T: Deserialize<'de>, E: Deserialize<'de>")]
        struct Object<T, E> {
            ok: bool,
            #[serde(default = "nothing")]
            value: Option<Given<T>>,
            #[serde(default = "nothing")]
            error: Option<Given<E>>,
        }
        fn nothing<T>() -> Option<T> {
            None
        }
        // `null` is a value here: of `Result<(), E>`, for one
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Given<T>(T);

        let object = Object::<T, E>::deserialize(deserializer)?;
        match object {
            Object { ok: true, value: Some(Given(value)), .. } => Ok(Self(Ok(value))),
            Object { ok: false, error: Some(Given(error)), .. } => Ok(Self(Err(error))),
            Object { ok: true, value: None, .. } => {
                // `()` and `Option` are what JavaScript leaves out
                let unit = serde::de::value::UnitDeserializer::<D::Error>::new();
                let missing = |_| D::Error::missing_field("value");
                T::deserialize(unit).map(|value| Self(Ok(value))).map_err(missing)
            }
            Object { .. } => Err(D::Error::missing_field("error")),
        }
    }
}

/// What an acknowledgement on the wire is to the program.
pub trait FromWire: DeserializeOwned + Send + 'static {
    /// What the program gets.
    type Value: 'static;

    /// Unwraps it.
    fn unwrap(self) -> Self::Value;
}

/// Reads an acknowledgement without arguments.
#[derive(Debug)]
pub struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

impl FromWire for Nothing {
    type Value = ();

    fn unwrap(self) {}
}

/// Reads an acknowledgement of one argument.
#[derive(Debug)]
pub struct One<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(T,)>::deserialize(deserializer).map(|(value,)| Self(value))
    }
}

impl<T: DeserializeOwned + Send + 'static> FromWire for One<T> {
    type Value = T;

    fn unwrap(self) -> T {
        self.0
    }
}

/// Reads an acknowledgement that says whether it is one of success.
#[derive(Debug)]
pub struct OneTagged<T, E>(Result<T, E>);

impl<'de, T: Deserialize<'de>, E: Deserialize<'de>> Deserialize<'de> for OneTagged<T, E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(Tagged<T, E>,)>::deserialize(deserializer).map(|(tagged,)| Self(tagged.0))
    }
}

impl<T, E> FromWire for OneTagged<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: DeserializeOwned + Send + 'static,
{
    type Value = Result<T, E>;

    fn unwrap(self) -> Result<T, E> {
        self.0
    }
}

/// A declared event that asks one client for an acknowledgement.
///
/// It is sent when it is awaited or given a [callback](Self::callback); dropped before that, it is
/// not sent. Dropping the future later forgets the answer.
#[must_use = "the event is sent when this is awaited, or given a callback"]
pub struct Asked<W> {
    emission: EmitWithAck<W>,
    wire: PhantomData<fn() -> W>,
}

impl<W: FromWire> Asked<W> {
    pub(crate) const fn new(emission: EmitWithAck<W>) -> Self {
        Self { emission, wire: PhantomData }
    }

    /// How long to wait for the answer; without it, until the socket is disconnected.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.emission = self.emission.timeout(timeout);
        self
    }

    /// Sends the event and calls `f` once, with the answer or with why there is none.
    pub fn callback(self, f: impl FnOnce(Result<W::Value, AckError>) + Send + 'static) {
        self.emission.callback(move |answer| f(answer.map(W::unwrap)));
    }
}

impl<W: FromWire> IntoFuture for Asked<W> {
    type Output = Result<W::Value, AckError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let answer = self.emission.into_future();
        Box::pin(async move { answer.await.map(W::unwrap) })
    }
}

impl<W> fmt::Debug for Asked<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}
