//! An event that a client sent, read as its declaration says, for the handler that the macro
//! writes.

use socketio::events::{
    Acknowledge, EventContext, ExtractError, FromEvent, Given, IntoReply, InvalidEvent,
};
use socketio::{BoxError, Socket};

use crate::ack::Acknowledgement;
use crate::argument::{Arguments, Declared, ReadAll, Values};
use crate::invalid::{Invalid, Unread};
use crate::rules::Served;

/// The extractor of a declared event. It never fails, so that the handler can answer.
#[expect(missing_debug_implementations, reason = "values of any types")]
pub struct Incoming<E: Declared> {
    values: Result<Values<E>, Box<Refused>>,
    /// How many arguments were sent, and whom to tell if there are too many.
    sent: usize,
    teller: Option<Teller>,
}

/// Who is told that an event was invalid.
#[derive(Debug)]
struct Teller {
    socket: Socket,
    /// The client asked for an acknowledgement, which can say it.
    in_answer: bool,
}

/// Why the handler is not called.
#[derive(Debug)]
pub(crate) struct Refused {
    cause: Cause,
    teller: Teller,
}

#[derive(Debug)]
enum Cause {
    /// The client broke the contract.
    Invalid(Invalid),
    /// What is not on the wire could not be made.
    Extract(ExtractError),
}

impl<E: Declared> FromEvent for Incoming<E> {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let sent = event.args().map_or(0, |args| args.len());
        let has_more = sent > <E::Arguments as Arguments<E>>::SENT;
        let teller = has_more.then(|| Teller::of::<E>(event));
        let values = read::<E>(event);
        let values =
            values.map_err(|cause| Box::new(Refused { cause, teller: Teller::of::<E>(event) }));
        Ok(Self { values, sent, teller })
    }

    fn missing(given: &Given<'_>) -> Option<&'static str> {
        <E::Arguments as Arguments<E>>::missing(given)
    }
}

fn read<E: Declared>(event: &mut EventContext<'_>) -> Result<Values<E>, Cause> {
    let Some(args) = event.args() else {
        return Err(Cause::Extract(ExtractError::new(event, "not an event of a client")));
    };
    let Ok(ReadAll(read)) = args.deserialize::<ReadAll<E>>() else {
        let wrong = E::Arguments::explain(&mut Unread::of(event));
        // a tree that can be read says nothing of why the text could not
        return Err(Cause::Invalid(wrong.err().unwrap_or_else(|| Invalid::new("cannot be read"))));
    };
    let values = E::Arguments::make(read, event).map_err(Cause::Extract)?;
    E::check(&values).map_err(Cause::Invalid)?;
    Ok(values)
}

impl Teller {
    fn of<E: Declared>(event: &EventContext<'_>) -> Self {
        let in_answer = E::ANSWERS_RESULT && event.is_ack_wanted();
        Self { socket: event.socket().clone(), in_answer }
    }
}

impl<E: Declared> Incoming<E> {
    /// The values for the method, or what there is to answer instead.
    ///
    /// # Errors
    /// [`Answered::refused`], as the rules say.
    pub fn open<A>(self, served: &Served) -> Result<Values<E>, Answered<A>> {
        let declared = <E::Arguments as Arguments<E>>::SENT;
        let refused = match (self.values, self.teller) {
            (Ok(_), Some(teller)) if self.sent > declared && served.rules().is_strict() => {
                let wanted = match declared {
                    0 => "no arguments".to_owned(),
                    1 => "1 argument".to_owned(),
                    more => format!("{more} arguments"),
                };
                let message = format!("expected {wanted}, got {}", self.sent);
                let invalid = Invalid::at(format!("/{declared}"), message);
                Box::new(Refused { cause: Cause::Invalid(invalid), teller })
            }
            (Ok(values), _) => return Ok(values),
            (Err(refused), _) => refused,
        };
        Err(match refused.cause {
            Cause::Extract(error) => Answered(Inner::Failed(error)),
            Cause::Invalid(invalid) => {
                let error = invalid.of(E::NAME);
                served.count_invalid(E::INDEX);
                Answered(Inner::Invalid(Box::new(Telling {
                    error,
                    teller: refused.teller,
                    served: served.clone(),
                })))
            }
        })
    }
}

/// What a declared event is answered.
#[expect(missing_debug_implementations, reason = "answers of any types")]
pub struct Answered<A>(Inner<A>);

enum Inner<A> {
    Value(A),
    Failed(ExtractError),
    Invalid(Box<Telling>),
}

struct Telling {
    error: InvalidEvent,
    teller: Teller,
    served: Served,
}

impl<A> Answered<A> {
    /// What the method gave.
    pub const fn value(value: A) -> Self {
        Self(Inner::Value(value))
    }
}

impl<A: Acknowledgement> IntoReply for Answered<A> {
    fn into_reply(self, to: &mut impl Acknowledge) -> Result<(), BoxError> {
        match self.0 {
            Inner::Value(value) => value.send(to),
            Inner::Failed(error) => Err(error.into()),
            Inner::Invalid(telling) => {
                let Telling { error, teller, served } = *telling;
                served.on_invalid(&error, &teller.socket, teller.in_answer.then_some(to));
                Err(error.into())
            }
        }
    }
}
