//! The arguments of a declared event: which of them are on the wire, and how they are read.
//!
//! What implements [`FromEvent`] is made from the event, as in any handler; everything else is an
//! argument that the client sends. Which it is the compiler decides from the type itself
//! (`is_extractor!`), so an alias or an extractor of the user's own is recognised as well.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use socketio::events::{EventContext, ExtractError, FromEvent, Given};

use crate::describe::EventBuilder;
use crate::invalid::{Invalid, Unread};

/// A declared event, as the macro writes it: a type of its own, so that messages of the compiler
/// name the event.
pub trait Declared: Sized + 'static {
    /// The name on the wire.
    const NAME: &'static str;
    /// Its place among the events of its contract that clients send.
    const INDEX: usize;
    /// The answer says by itself whether the event was invalid.
    const ANSWERS_RESULT: bool;
    /// The parameters of its method: a tuple of [`Slot`]s.
    type Arguments: Arguments<Self>;

    /// Runs the functions of `#[check(..)]`.
    fn check(_values: &Values<Self>) -> Result<(), Invalid> {
        Ok(())
    }
}

/// What the method of an event gets.
pub type Values<E> = <<E as Declared>::Arguments as Arguments<E>>::Values;

/// A parameter of the type `A`, made from the event or read from what the client sent.
#[derive(Debug)]
pub struct Slot<A, const IS_EXTRACTOR: bool>(PhantomData<A>);

/// What can be a parameter of the method of an event that clients send.
#[diagnostic::on_unimplemented(
    message = "this type cannot be an argument of the event `{E}`",
    note = "what a client sends is `Deserialize` and `JsonSchema`; what implements `FromEvent`, as \
            `Socket` does, is made from the event instead"
)]
pub trait Argument<E> {
    /// Whether the client sends it.
    const IS_SENT: bool;
    /// What the method gets.
    type Value: Send + 'static;
    /// What was read: nothing for what is made from the event.
    type Read;

    /// Takes what it needs from what the client sent.
    fn read<'de, S: SeqAccess<'de>>(sent: &mut S) -> Result<Self::Read, S::Error>;

    /// Makes the value.
    fn make(read: Self::Read, event: &mut EventContext<'_>) -> Result<Self::Value, ExtractError>;

    /// See [`FromEvent::missing`].
    fn missing(given: &Given<'_>) -> Option<&'static str>;

    /// Finds out why it cannot be read, if that is so.
    fn explain(sent: &mut Unread) -> Result<(), Invalid>;

    /// Adds itself to the description of the event, if the client sends it.
    fn describe(name: &'static str, event: &mut EventBuilder<'_>);
}

impl<E, A: FromEvent + Send + 'static> Argument<E> for Slot<A, true> {
    const IS_SENT: bool = false;
    type Value = A;
    type Read = ();

    fn read<'de, S: SeqAccess<'de>>(_: &mut S) -> Result<(), S::Error> {
        Ok(())
    }

    fn make((): (), event: &mut EventContext<'_>) -> Result<A, ExtractError> {
        A::from_event(event)
    }

    fn missing(given: &Given<'_>) -> Option<&'static str> {
        A::missing(given)
    }

    fn explain(_: &mut Unread) -> Result<(), Invalid> {
        Ok(())
    }

    fn describe(_: &'static str, _: &mut EventBuilder<'_>) {}
}

impl<E, A: DeserializeOwned + JsonSchema + Send + 'static> Argument<E> for Slot<A, false> {
    const IS_SENT: bool = true;
    type Value = A;
    type Read = A;

    fn read<'de, S: SeqAccess<'de>>(sent: &mut S) -> Result<A, S::Error> {
        // missing arguments are read as `null`, so there is always a next one
        let missing = || serde::de::Error::custom("missing");
        sent.next_element()?.ok_or_else(missing)
    }

    fn make(read: A, _: &mut EventContext<'_>) -> Result<A, ExtractError> {
        Ok(read)
    }

    fn missing(_: &Given<'_>) -> Option<&'static str> {
        None
    }

    fn explain(sent: &mut Unread) -> Result<(), Invalid> {
        sent.explain_next::<A>()
    }

    fn describe(name: &'static str, event: &mut EventBuilder<'_>) {
        event.add_argument::<A>(name);
    }
}

/// All parameters of a method, in order.
pub trait Arguments<E> {
    /// For each, whether the client sends it.
    const ARE_SENT: &'static [bool];
    /// How many the client sends.
    const SENT: usize = count(Self::ARE_SENT);
    /// What the method gets.
    type Values: Send + 'static;
    /// What was read.
    type Read;

    /// See [`Argument::read`].
    fn read<'de, S: SeqAccess<'de>>(sent: &mut S) -> Result<Self::Read, S::Error>;

    /// See [`Argument::make`].
    fn make(read: Self::Read, event: &mut EventContext<'_>) -> Result<Self::Values, ExtractError>;

    /// See [`FromEvent::missing`].
    fn missing(given: &Given<'_>) -> Option<&'static str>;

    /// See [`Argument::explain`].
    fn explain(sent: &mut Unread) -> Result<(), Invalid>;

    /// See [`Argument::describe`].
    fn describe(names: &[&'static str], event: &mut EventBuilder<'_>);
}

const fn count(are_sent: &[bool]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < are_sent.len() {
        count += are_sent[at] as usize;
        at += 1;
    }
    count
}

/// The number on the wire of a parameter.
pub const fn index_on_the_wire(are_sent: &[bool], parameter: usize) -> usize {
    count(are_sent.split_at(parameter).0)
}

macro_rules! arguments {
    ($($slot:ident $read:ident),*) => {
        impl<E, $($slot: Argument<E>),*> Arguments<E> for ($($slot,)*) {
            const ARE_SENT: &'static [bool] = &[$($slot::IS_SENT),*];
            type Values = ($($slot::Value,)*);
            type Read = ($($slot::Read,)*);

            #[allow(unused_variables, clippy::unused_unit, reason = "without parameters")]
            fn read<'de, S: SeqAccess<'de>>(sent: &mut S) -> Result<Self::Read, S::Error> {
                Ok(($($slot::read(sent)?,)*))
            }

            #[allow(unused_variables, reason = "without parameters")]
            fn make(
                read: Self::Read,
                event: &mut EventContext<'_>,
            ) -> Result<Self::Values, ExtractError> {
                let ($($read,)*) = read;
                Ok(($($slot::make($read, event)?,)*))
            }

            #[allow(unused_variables, reason = "without parameters")]
            fn missing(given: &Given<'_>) -> Option<&'static str> {
                None$(.or_else(|| $slot::missing(given)))*
            }

            #[allow(unused_variables, reason = "without parameters")]
            fn explain(sent: &mut Unread) -> Result<(), Invalid> {
                $($slot::explain(sent)?;)*
                Ok(())
            }

            #[allow(unused_variables, unused_mut, reason = "without parameters")]
            fn describe(names: &[&'static str], event: &mut EventBuilder<'_>) {
                let mut names = names.iter();
                $($slot::describe(names.next().copied().unwrap_or_default(), event);)*
            }
        }
    };
}

arguments!();
arguments!(A a);
arguments!(A a, B b);
arguments!(A a, B b, C c);
arguments!(A a, B b, C c, D d);
arguments!(A a, B b, C c, D d, F f);
arguments!(A a, B b, C c, D d, F f, G g);
arguments!(A a, B b, C c, D d, F f, G g, H h);
arguments!(A a, B b, C c, D d, F f, G g, H h, I i);
arguments!(A a, B b, C c, D d, F f, G g, H h, I i, J j);
arguments!(A a, B b, C c, D d, F f, G g, H h, I i, J j, K k);
arguments!(A a, B b, C c, D d, F f, G g, H h, I i, J j, K k, L l);
arguments!(A a, B b, C c, D d, F f, G g, H h, I i, J j, K k, L l, M m);

/// Adds the parameters of a method of `FromClient` to the description of its event.
pub fn describe<E: Declared>(event: &mut EventBuilder<'_>, names: &[&'static str]) {
    <E::Arguments as Arguments<E>>::describe(names, event);
}

/// Reads all arguments of an event at once, as a tuple would be read.
pub(crate) struct ReadAll<E: Declared>(pub(crate) <E::Arguments as Arguments<E>>::Read);

impl<'de, E: Declared> Deserialize<'de> for ReadAll<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tuple<E>(PhantomData<E>);
        impl<'de, E: Declared> Visitor<'de> for Tuple<E> {
            type Value = ReadAll<E>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("arguments")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut sent: S) -> Result<ReadAll<E>, S::Error> {
                E::Arguments::read(&mut sent).map(ReadAll)
            }
        }
        deserializer.deserialize_tuple(<E::Arguments as Arguments<E>>::SENT, Tuple(PhantomData))
    }
}

/// Whether a type is made from the event. The inherent constant hides the trait's where its bound
/// holds; types must be concrete for that, and those of a contract are.
#[derive(Debug)]
pub struct Is<A>(PhantomData<A>);

/// The answer for all types that are no extractors.
pub trait NoExtractor {
    /// It is none.
    const EXTRACTOR: bool = false;
}

impl<A> NoExtractor for Is<A> {}

impl<A: FromEvent> Is<A> {
    /// It is one.
    pub const EXTRACTOR: bool = true;
}
