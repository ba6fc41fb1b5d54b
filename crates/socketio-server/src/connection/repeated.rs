//! Events that clients send more than once, and which are handled once.

use std::sync::Arc;
use std::task::{Context, Poll};

use engineio_proto::guard;
use socketio_adapter::DedupeKey;
use socketio_parser::{RawArgs, Spread};

use super::name::Name;
use super::{Claimed, Connection, Ended};
use crate::error::BoxError;
use crate::events::context::{Cause, EventContext};
use crate::events::dedupe::{Begun, Rule};
use crate::events::error::ExtractError;
use crate::limits::Limit;
use crate::socket::Socket;
use crate::stats::Repeated;

impl Connection {
    /// Handles an event unless it was handled, or while it is.
    #[cold]
    pub(super) fn dispatch_once(
        &mut self,
        socket: &Socket,
        name: &str,
        id: Option<u64>,
        args: &RawArgs<'_>,
        rule: &Arc<Rule>,
        cx: &mut Context<'_>,
    ) {
        let key: Result<DedupeKey, _> = match guard::call(|| rule.key_of(socket, name, args)) {
            Ok(key) => key,
            Err(_) => return self.on_panic(socket, name),
        };
        let key = match key {
            Ok(key) => key,
            Err(invalid) => {
                let error = ExtractError::Args(Box::new(invalid));
                return self.refuse_event(socket, name, id, error.into(), cx);
            }
        };
        let mut claiming = Box::pin(Arc::clone(rule).begin(key));
        match guard::call(|| claiming.as_mut().poll(cx)) {
            Ok(Poll::Ready(begun)) => {
                rule.count(|limit: Limit, count| self.core.shared.counters.add(limit, count));
                self.on_begun(socket, name, id, args, begun, cx);
            }
            Ok(Poll::Pending) => {
                self.core.counters.repeated(Repeated::Waited);
                let args = args.clone().into_owned();
                let kept = args.kept_bytes();
                let (socket, name) = (socket.clone(), Name::new(name));
                let claiming = async move {
                    let begun = claiming.await;
                    Ended::Claimed(Box::new(Claimed { socket, name, id, args, begun }))
                };
                self.run(claiming, kept);
            }
            Err(_) => self.on_panic(socket, name),
        }
    }

    /// It is known what is to be done with an event that waited for it.
    pub(super) fn on_claimed(&mut self, claimed: Claimed, cx: &mut Context<'_>) {
        let Claimed { socket, name, id, args, begun } = claimed;
        // what it was to be handled by is over: it comes again, or never
        if socket.is_connected() {
            self.on_begun(&socket, name.as_str(), id, &args, begun, cx);
        } else if let Begun::Run(Some(ticket)) = begun {
            ticket.fail();
        }
    }

    fn on_begun(
        &mut self,
        socket: &Socket,
        name: &str,
        id: Option<u64>,
        args: &RawArgs<'_>,
        begun: Begun,
        cx: &mut Context<'_>,
    ) {
        let counters = &self.core.counters;
        match begun {
            Begun::Run(ticket) => {
                counters.repeated(Repeated::Handled);
                let found = socket.event_listeners(name);
                if let Some(ticket) = ticket.as_ref().filter(|_| found.is_empty()) {
                    ticket.fail(); // nobody does
                }
                let cause = Cause::Arguments(args);
                let mut context = EventContext::new(socket, name, cause).with_ack(id);
                context.with_ticket(ticket.as_ref());
                self.call_all(found, &mut context, cx);
            }
            Begun::Repeat(values) => {
                counters.repeated(Repeated::Answered);
                if let Some(id) = id {
                    // fails if the client is gone
                    let _ = socket.send_ack(id, &Spread(values.to_vec()));
                }
            }
            Begun::Nothing => counters.repeated(Repeated::Answered),
            Begun::Refuse(error) => {
                counters.repeated(Repeated::Refused);
                self.refuse_event(socket, name, id, error.into(), cx);
            }
        }
    }

    /// An event is given to no handler.
    fn refuse_event(
        &mut self,
        socket: &Socket,
        name: &str,
        id: Option<u64>,
        error: BoxError,
        cx: &mut Context<'_>,
    ) {
        let told = self.on_failure(socket, name, error, id.is_some(), cx);
        if let (Some(told), Some(id)) = (told, id) {
            let _ = socket.send_ack(id, &(told,));
        }
    }
}
