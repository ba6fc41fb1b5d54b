//! The functions of the addon; `lib/wire.js` of the package calls them.

use std::sync::Arc;

use crate::instance::{End, Instance};
use crate::node::{Call, Failure, Function, Value, Wake};
use crate::options;
use crate::runner::Commands;

pub(crate) const FUNCTIONS: &[(&str, Function)] = &[
    ("create", create),
    ("take", take),
    ("run", run),
    ("ask", ask),
    ("request", request),
    ("upgrade", upgrade),
    ("bridge", bridge),
    ("bridged", bridged),
];

/// `create(options, wake)`: a server of these options, as JSON; `wake` is called when there are records.
fn create<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let parsed = options::parse(&call.text(call.argument(0)?)?)?;
    let wake = Wake::new(call, call.argument(1)?)?;
    let instance = Instance::new(&parsed, wake)?;
    call.at_exit(Box::new(End(Arc::downgrade(&instance))))?;
    call.own(instance)
}

fn instance<'c>(call: &Call<'c>) -> Result<Arc<Instance>, Failure> {
    call.owned(call.argument(0)?)
}

/// `take(server, attachments)`: the next batch of records as text, `undefined` if there is none; its
/// attachments are put into the array. A batch that is followed by another ends with a comma.
fn take<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let Some(mut batch) = instance.inbound().take() else { return call.undefined() };
    let into = call.argument(1)?;
    for (at, bytes) in batch.attachments.drain(..).enumerate() {
        let buffer = call.new_buffer(bytes)?;
        call.put(into, u32::try_from(at).unwrap_or(u32::MAX), buffer)?;
    }
    if batch.has_more {
        batch.text.push(',');
    }
    call.new_text(&batch.text)
}

/// `run(server, text, buffers)`: carries out commands, soon.
fn run<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let text = call.text(call.argument(1)?)?;
    let buffers = call.all_bytes(call.argument(2)?)?;
    instance.run(Commands { text, buffers });
    call.undefined()
}

/// `ask(server, question)`: an answer as JSON, after the commands before it.
fn ask<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let answer = instance.ask(&call.text(call.argument(1)?)?)?;
    call.new_text(&answer)
}

/// `request(server, number, head, body)`: answers a request, by a record.
fn request<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let number = call.number(call.argument(1)?)?;
    let head = call.text(call.argument(2)?)?;
    let body = call.bytes(call.argument(3)?)?.unwrap_or_default();
    instance.answering().request(number, &head, body)?;
    call.undefined()
}

/// `upgrade(server, number, head, prefix, descriptor)`: takes over a connection. False: it cannot be.
fn upgrade<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let number = call.number(call.argument(1)?)?;
    let head = call.text(call.argument(2)?)?;
    let prefix = call.bytes(call.argument(3)?)?.unwrap_or_default();
    let descriptor = call.signed(call.argument(4)?)?;
    call.boolean(instance.answering().upgrade(number, &head, prefix, descriptor)?)
}

/// `bridge(server, number, head, prefix)`: goes on with a stream whose bytes JavaScript carries.
fn bridge<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let number = call.number(call.argument(1)?)?;
    let head = call.text(call.argument(2)?)?;
    let prefix = call.bytes(call.argument(3)?)?.unwrap_or_default();
    instance.answering().bridge(number, &head, prefix)?;
    call.undefined()
}

/// `bridged(server, number, bytes)`: bytes of such a stream; without any it has ended.
fn bridged<'c>(call: &Call<'c>) -> Result<Value<'c>, Failure> {
    let instance = instance(call)?;
    let number = call.number(call.argument(1)?)?;
    instance.answering().bridged(number, call.bytes(call.argument(2)?)?);
    call.undefined()
}
