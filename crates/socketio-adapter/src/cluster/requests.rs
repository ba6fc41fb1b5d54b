//! What a node asks and tells the others, for one namespace.
//!
//! Nothing here concerns this node's own sockets: that was done before. What only tells is with the
//! bus when a method returns; what asks waits for no longer than its time limit, and results in what
//! is known then.

#![expect(clippy::disallowed_methods, reason = "it waits for other nodes")]

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use engineio_proto::guard::lock;
use socketio_parser::{DataForm, EventData, Value};
use tokio::time::{Instant, timeout_at};

use super::bus::QueueFull;
use super::codec::Changes;
use super::message::{Change, Expected, Message, Plan, Request};
use super::node::{Core, MAX_ASK};
use super::pending::{Awaited, Collected, Waiting, Wants};
use crate::{
    AckCount, AdapterError, AdapterFuture, Answered, Answers, BroadcastOptions, Cluster, Room,
    SocketDetails, SocketId,
};

/// How a request ended.
struct Outcome {
    collected: Collected,
    missing: Vec<String>,
}

impl Outcome {
    fn of_broker(collected: Collected, why: &str) -> Self {
        Self { collected, missing: vec![format!("the other nodes ({why})")] }
    }

    fn answers<T>(self, items: impl FnOnce(Collected) -> Vec<T>) -> Answers<T> {
        let answered = self.collected.answered;
        Answers { items: items(self.collected), answered, missing: self.missing }
    }
}

impl Core {
    /// Which other nodes are to answer: by name where they are known, else as many as the broker
    /// counts.
    async fn census(&self, expected: Expected) -> Result<Awaited, AdapterError> {
        match expected {
            Expected::One => return Ok(Awaited::Count(1)),
            Expected::Nobody => return Ok(Awaited::Count(0)),
            Expected::All | Expected::New => {}
        }
        if let Some(peers) = &self.peers {
            return Ok(Awaited::Nodes(lock(peers).names()));
        }
        let census =
            self.carrier.bus.census().ok_or_else(|| AdapterError::Backend(UNCOUNTED.into()))?;
        let all = match (expected, self.codec.new_nodes()) {
            (Expected::New, Some((beginning, end))) => census.channels(beginning, end).await?,
            _ => census.subscribers(self.codec.census()).await?,
        };
        // this one is among them
        Ok(Awaited::Count(all.saturating_sub(1)))
    }

    /// Puts a request and waits for its answers, no longer than `limit`.
    async fn collect(
        self: Arc<Self>,
        id: String,
        plan: Plan,
        wants: Wants,
        limit: Duration,
    ) -> Outcome {
        let deadline = deadline(limit);
        let expected = match timeout_at(deadline, self.census(plan.expected)).await {
            Ok(Ok(nobody)) if nobody.is_nobody() => {
                return Outcome { collected: Collected::default(), missing: Vec::new() };
            }
            Ok(Ok(awaited)) => awaited,
            Ok(Err(error)) => {
                return Outcome::of_broker(Collected::default(), &source(&error));
            }
            Err(_) => return Outcome::of_broker(Collected::default(), SILENT),
        };
        let waiting = self.pending.open(id, wants, Some(expected), None);
        self.send_and_wait(plan.messages, waiting, deadline).await
    }

    async fn send_and_wait(
        &self,
        messages: Vec<Message>,
        waiting: Waiting,
        deadline: Instant,
    ) -> Outcome {
        for message in messages {
            if !self.publish(message) {
                return Outcome::of_broker(waiting.close().0, FULL);
            }
        }
        let _ = timeout_at(deadline, waiting.complete()).await;
        let (collected, missing) = waiting.close();
        Outcome { collected, missing }
    }

    /// A request, or why it cannot be put.
    fn ask_nodes(
        &self,
        request: &Request<'_>,
        wants: Wants,
    ) -> Result<impl Future<Output = Outcome> + Send + use<>, AdapterError> {
        let id = self.pending.next_id(self.codec.uid());
        let plan = self.codec.plan(Some(&id), request).map_err(AdapterError::Unsupported)?;
        let this = self.this.upgrade().ok_or(AdapterError::Timeout)?;
        let limit = self.request_timeout;
        Ok(this.collect(id, plan, wants, limit))
    }

    /// Ids of sockets of other nodes: those of which nodes of the 4.x line tell, those of the 2.x
    /// line.
    async fn find(
        &self,
        options: &BroadcastOptions,
    ) -> Result<(Answers<SocketId>, Vec<SocketId>), AdapterError> {
        let split = |outcome: Outcome| {
            let mut old = Vec::new();
            let answers = outcome.answers(|collected| {
                old = collected.ids;
                collected.sockets.into_iter().map(|socket| socket.id).collect()
            });
            (answers, old)
        };
        let excluded: Vec<Room> = options.excluded().collect();
        // all know exceptions
        if self.codec.changes() == Changes::AtOnce && !excluded.is_empty() {
            let request = Request::Sockets { options };
            return Ok(split(self.ask_nodes(&request, Wants::Sockets)?.await));
        }
        let request = Request::Ids { rooms: &options.rooms };
        let asked = self.ask_nodes(&request, Wants::Sockets)?;
        if excluded.is_empty() {
            return Ok(split(asked.await));
        }
        let request = Request::Ids { rooms: &excluded };
        let not_meant = self.ask_nodes(&request, Wants::Sockets)?;
        let (asked, not_meant) = both(asked, not_meant).await;
        let ((mut answers, mut old), (but_new, but_old)) = (split(asked), split(not_meant));
        answers.items.retain(|id| !but_new.items.contains(id));
        old.retain(|id| !but_old.contains(id));
        answers.missing.extend(but_new.missing);
        Ok((answers, old))
    }

    /// Tells the nodes of a change of the sockets that are meant.
    fn change(&self, change: Change, options: &BroadcastOptions) -> AdapterFuture<()> {
        if let Some(message) = self.codec.change(&change, options) {
            if !self.publish(message) {
                return ready(Err(AdapterError::Backend(QueueFull.into())));
            }
        }
        if self.codec.changes() == Changes::AtOnce {
            return ready(Ok(()));
        }
        let Some(this) = self.this.upgrade() else { return ready(Ok(())) };
        let options = options.clone();
        let told = self.runtime.spawn(async move {
            let (found, old) = this.find(&options).await?;
            for id in old {
                this.change_one(&change, &id).await?;
            }
            match found.missing.is_empty() {
                true => Ok(()),
                false => Err(AdapterError::Timeout),
            }
        });
        // goes on when the time for the answer is over
        let limit = deadline(self.request_timeout);
        Box::pin(async move {
            let told = timeout_at(limit, told).await;
            told.map_or(Err(AdapterError::Timeout), |told| {
                told.unwrap_or(Err(AdapterError::Timeout))
            })
        })
    }

    /// Tells the node that has a socket; one of the 2.x line confirms it.
    fn change_one(&self, change: &Change, id: &SocketId) -> AdapterFuture<()> {
        match self.ask_nodes(&Request::ChangeOne { change, id }, Wants::Done) {
            Ok(told) => Box::pin(async move {
                match told.await.missing.is_empty() {
                    true => Ok(()),
                    false => Err(AdapterError::Timeout),
                }
            }),
            Err(error) => ready(Err(error)),
        }
    }

    /// One socket, wherever it is.
    fn one(&self, change: Change, id: &SocketId) -> AdapterFuture<()> {
        let options = BroadcastOptions { rooms: vec![id.into()], ..BroadcastOptions::default() };
        match self.codec.changes() {
            Changes::AtOnce | Changes::Both => self.change(change, &options),
            Changes::OneByOne => {
                // goes out whether or not it is awaited
                let told = self.runtime.spawn(self.change_one(&change, id));
                Box::pin(async move { told.await.unwrap_or(Err(AdapterError::Timeout)) })
            }
        }
    }
}

impl Cluster for Core {
    fn form(&self) -> DataForm {
        self.codec.form()
    }

    fn broadcast(&self, event: &EventData, options: &BroadcastOptions) {
        self.publish(self.codec.broadcast(event, options));
    }

    fn flush(&self) {
        self.carrier.bus.flush();
    }

    fn ask(
        &self,
        event: &EventData,
        options: &BroadcastOptions,
        timeout: Duration,
        answered: Answered,
    ) -> AdapterFuture<AckCount> {
        let id = self.pending.next_id(self.codec.uid());
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let plan = match self.codec.plan(Some(&id), &Request::Ask { event, options, timeout: ms }) {
            Ok(plan) => plan,
            Err(who) => {
                self.broadcast(event, options);
                return ready(Err(AdapterError::Unsupported(who)));
            }
        };
        let deadline = deadline(timeout);
        let waiting = self.pending.open(id, Wants::Clients, None, Some(answered));
        // the clients get the event at once, whoever is to be waited for
        let is_sent = plan.messages.into_iter().all(|message| self.publish(message));
        let Some(this) = self.this.upgrade() else { return ready(Ok(AckCount::default())) };
        Box::pin(async move {
            let told = |collected: &Collected, missing| {
                AckCount::new(collected.clients, collected.client_answers, missing)
            };
            if !is_sent {
                let outcome = Outcome::of_broker(waiting.close().0, FULL);
                return Ok(told(&outcome.collected, outcome.missing));
            }
            let why = match timeout_at(deadline, this.census(plan.expected)).await {
                Ok(Ok(expected)) => {
                    waiting.expect(expected);
                    None
                }
                Ok(Err(error)) => Some(source(&error)),
                Err(_) => Some(SILENT.to_owned()),
            };
            if let Some(why) = why {
                // answers may come all the same
                let _ = timeout_at(deadline, waiting.complete()).await;
                let outcome = Outcome::of_broker(waiting.close().0, &why);
                return Ok(told(&outcome.collected, outcome.missing));
            }
            let outcome = this.send_and_wait(Vec::new(), waiting, deadline).await;
            Ok(told(&outcome.collected, outcome.missing))
        })
    }

    fn ids(&self, options: &BroadcastOptions) -> AdapterFuture<Answers<SocketId>> {
        let Some(this) = self.this.upgrade() else { return ready(Err(AdapterError::Timeout)) };
        let options = options.clone();
        Box::pin(async move {
            let (mut answers, old) = this.find(&options).await?;
            answers.items.extend(old);
            Ok(answers)
        })
    }

    fn sockets(&self, options: &BroadcastOptions) -> AdapterFuture<Answers<SocketDetails>> {
        let Some(this) = self.this.upgrade() else { return ready(Err(AdapterError::Timeout)) };
        let options = options.clone();
        Box::pin(async move {
            let details = |outcome: Outcome| outcome.answers(|collected| collected.sockets);
            if this.codec.changes() == Changes::AtOnce {
                let request = Request::Sockets { options: &options };
                return Ok(details(this.ask_nodes(&request, Wants::Sockets)?.await));
            }
            // of a line that tells ids only
            let of_ids = |ids: Vec<SocketId>| ids.into_iter().map(SocketDetails::new);
            if this.codec.changes() == Changes::OneByOne {
                let (answers, old) = this.find(&options).await?;
                let mut answers = answers.map(SocketDetails::new);
                answers.items.extend(of_ids(old));
                return Ok(answers);
            }
            let request = Request::Sockets { options: &options };
            let new = this.ask_nodes(&request, Wants::Sockets)?;
            let (new, found) = both(new, this.find(&options)).await;
            let (found, old) = found?;
            let mut answers = details(new);
            answers.items.extend(of_ids(old));
            // both lines answer the second question
            Ok(Answers { answered: found.answered, missing: found.missing, ..answers })
        })
    }

    fn rooms(&self) -> AdapterFuture<Answers<Room>> {
        match self.ask_nodes(&Request::Rooms, Wants::Rooms) {
            Ok(asked) => {
                Box::pin(async move { Ok(asked.await.answers(|collected| collected.rooms)) })
            }
            Err(error) => ready(Err(error)),
        }
    }

    fn join(&self, options: &BroadcastOptions, rooms: &[Room]) -> AdapterFuture<()> {
        self.each(rooms, |rooms| self.change(Change::Join(rooms), options))
    }

    fn leave(&self, options: &BroadcastOptions, rooms: &[Room]) -> AdapterFuture<()> {
        self.each(rooms, |rooms| self.change(Change::Leave(rooms), options))
    }

    fn disconnect(&self, options: &BroadcastOptions, close: bool) -> AdapterFuture<()> {
        self.change(Change::Disconnect { close }, options)
    }

    fn join_one(&self, id: &SocketId, room: &Room) -> AdapterFuture<()> {
        self.one(Change::Join(vec![room.clone()]), id)
    }

    fn leave_one(&self, id: &SocketId, room: &Room) -> AdapterFuture<()> {
        self.one(Change::Leave(vec![room.clone()]), id)
    }

    fn disconnect_one(&self, id: &SocketId, close: bool) -> AdapterFuture<()> {
        self.one(Change::Disconnect { close }, id)
    }

    fn rooms_of(&self, id: &SocketId) -> AdapterFuture<Vec<Room>> {
        let Some(this) = self.this.upgrade() else { return ready(Err(AdapterError::Timeout)) };
        let id = id.clone();
        Box::pin(async move {
            let options =
                BroadcastOptions { rooms: vec![(&id).into()], ..BroadcastOptions::default() };
            let of_new = async {
                if this.codec.changes() == Changes::OneByOne {
                    return Ok(None);
                }
                let request = Request::Sockets { options: &options };
                let outcome = this.ask_nodes(&request, Wants::Sockets)?.await;
                let found = outcome.collected.sockets.into_iter().find(|socket| socket.id == id);
                Ok::<_, AdapterError>(found.map(|socket| socket.rooms))
            };
            let of_old = async {
                if this.codec.changes() == Changes::AtOnce {
                    return Ok(None);
                }
                let outcome = this.ask_nodes(&Request::RoomsOf { id: &id }, Wants::Rooms)?.await;
                Ok(outcome.missing.is_empty().then_some(outcome.collected.rooms))
            };
            first(of_new, of_old).await?.ok_or(AdapterError::Timeout)
        })
    }

    fn server_side_emit(&self, event: &str, args: Vec<Value>) -> AdapterFuture<()> {
        let request = Request::ServerEvent { event, args: &args };
        ready(match self.codec.plan(None, &request) {
            Err(who) => Err(AdapterError::Unsupported(who)),
            Ok(plan) => match plan.messages.into_iter().all(|message| self.publish(message)) {
                true => Ok(()),
                false => Err(AdapterError::Backend(QueueFull.into())),
            },
        })
    }

    fn server_side_emit_with_ack(
        &self,
        event: &str,
        args: Vec<Value>,
    ) -> AdapterFuture<Answers<Value>> {
        self.values(&Request::ServerEvent { event, args: &args })
    }

    fn custom_request(&self, data: Value) -> AdapterFuture<Answers<Value>> {
        self.values(&Request::Custom { data: &data })
    }
}

impl Core {
    fn values(&self, request: &Request<'_>) -> AdapterFuture<Answers<Value>> {
        match self.ask_nodes(request, Wants::Values) {
            Ok(asked) => {
                Box::pin(async move { Ok(asked.await.answers(|collected| collected.values)) })
            }
            Err(error) => ready(Err(error)),
        }
    }

    /// Tells of all rooms at once, or of each by itself where a message has only one.
    fn each(
        &self,
        rooms: &[Room],
        tell: impl Fn(Vec<Room>) -> AdapterFuture<()>,
    ) -> AdapterFuture<()> {
        if self.codec.changes() == Changes::AtOnce {
            return tell(rooms.to_vec());
        }
        let told: Vec<_> = rooms.iter().map(|room| tell(vec![room.clone()])).collect();
        Box::pin(async move {
            for told in told {
                told.await?;
            }
            Ok(())
        })
    }
}

fn ready<T: Send + 'static>(result: Result<T, AdapterError>) -> AdapterFuture<T> {
    Box::pin(std::future::ready(result))
}

/// A time beyond all clocks is a far one.
fn deadline(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit).unwrap_or_else(|| now + MAX_ASK)
}

/// What one of two finds, whichever is first.
async fn first<T, E>(
    a: impl Future<Output = Result<Option<T>, E>>,
    b: impl Future<Output = Result<Option<T>, E>>,
) -> Result<Option<T>, E> {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let mut is_over = [false; 2];
    std::future::poll_fn(|cx| {
        for (at, is_over) in is_over.iter_mut().enumerate() {
            if *is_over {
                continue;
            }
            let polled = if at == 0 { a.as_mut().poll(cx) } else { b.as_mut().poll(cx) };
            match polled {
                Poll::Ready(Ok(None)) => *is_over = true,
                Poll::Ready(found) => return Poll::Ready(found),
                Poll::Pending => {}
            }
        }
        if is_over == [true; 2] { Poll::Ready(Ok(None)) } else { Poll::Pending }
    })
    .await
}

/// Waits for both at the same time.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none() {
            if let Poll::Ready(value) = a.as_mut().poll(cx) {
                first = Some(value);
            }
        }
        if second.is_none() {
            if let Poll::Ready(value) = b.as_mut().poll(cx) {
                second = Some(value);
            }
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

fn source(error: &AdapterError) -> String {
    match error {
        AdapterError::Backend(error) => error.to_string(),
        error => error.to_string(),
    }
}

const UNCOUNTED: &str = "the broker cannot count them, and they have no heartbeats";

const FULL: &str = "the queue for the broker is full";

const SILENT: &str = "the broker did not answer in time";
