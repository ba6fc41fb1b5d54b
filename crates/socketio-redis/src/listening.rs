//! Who listens to what.

use std::collections::HashMap;
use std::sync::Arc;

use socketio_adapter::Receiver;

/// Who listens; nearly always one.
pub(crate) type Listening = HashMap<String, Vec<Arc<dyn Receiver>>>;

/// Adds a receiver. True: nobody listened before.
pub(crate) fn add(listening: &mut Listening, name: &str, receiver: &Arc<dyn Receiver>) -> bool {
    let Some(there) = listening.get_mut(name) else {
        listening.insert(name.to_owned(), vec![Arc::clone(receiver)]);
        return true;
    };
    if !there.iter().any(|other| is_same(other, receiver)) {
        there.push(Arc::clone(receiver));
    }
    false
}

/// Takes a receiver out, of which the caller has another handle. True: it was the last.
pub(crate) fn remove(listening: &mut Listening, name: &str, receiver: &Arc<dyn Receiver>) -> bool {
    let Some(there) = listening.get_mut(name) else { return false };
    there.retain(|other| !is_same(other, receiver));
    there.is_empty() && listening.remove(name).is_some()
}

fn is_same(one: &Arc<dyn Receiver>, other: &Arc<dyn Receiver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
