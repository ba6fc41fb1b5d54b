//! Programs that publish to a cluster without being one of its servers.

use std::error::Error;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use socketio_adapter::{Emitter, EmitterError};

use super::broker::Health;
use super::{FORMATS, MIXED, NEW, NONE, OLD, SHARDED, Two};

fn emitter(two: &Two) -> Emitter {
    two.node.emitter("/")
}

#[tokio::test]
async fn events() {
    for format in FORMATS {
        let two = Two::new(format);
        let emitter = emitter(&two);
        emitter.emit("hi", (1, "x")).unwrap();
        let text = "gets hi [1,\"x\"]";
        two.noted(&["a1", "b1", "b2", "b3"].map(|id| format!("{id} {text}")));
        emitter.to("r").in_room(["a1", "r"]).except("s").emit("hi", ()).unwrap();
        two.noted(&["a1 gets hi []", "b2 gets hi []"]);
        emitter.to("s").volatile().compress(false).emit("hi", ()).unwrap();
        two.noted(&["b3 gets hi [] plain if it can"]);
        emitter.to("s").compress(false).compress(true).emit("hi", ()).unwrap();
        two.noted(&["b3 gets hi []"]);
    }
}

/// A room that is named twice is one room, and goes on its channel.
#[tokio::test]
async fn rooms_are_named_once() {
    let two = Two::new(NEW);
    emitter(&two).to("r").to("r").emit("hi", ()).unwrap();
    let channels: Vec<_> = two.broker.published().into_iter().map(|(name, _)| name).collect();
    assert_eq!(channels, ["p#/#r#"]);
}

#[tokio::test]
async fn sockets() {
    for format in [NEW, MIXED, SHARDED] {
        let two = Two::new(format);
        let emitter = emitter(&two);
        emitter.to("s").sockets_join(["x", "y"]).unwrap();
        assert_eq!(two.b.rooms_of("b3"), ["b3", "r", "s", "x", "y"], "{format:?}");
        emitter.to("s").sockets_leave("x").unwrap();
        assert_eq!(two.b.rooms_of("b3"), ["b3", "r", "s", "y"]);
        two.noted(&NONE);
        emitter.to("s").disconnect_sockets(true).unwrap();
        two.noted(&["a: disconnects [] true", r#"b: disconnects [("b3")] true"#]);
        emitter.server_side_emit("hi", (1,)).unwrap();
        two.noted(&["a: hears hi [1]", "b: hears hi [1]"]);
    }
    let two = Two::new(OLD);
    let emitter = emitter(&two);
    for refused in [
        emitter.sockets_join("x"),
        emitter.sockets_leave("x"),
        emitter.disconnect_sockets(false),
        emitter.server_side_emit("hi", ()),
    ] {
        assert!(matches!(refused, Err(EmitterError::Unsupported(_))), "{refused:?}");
    }
    two.noted(&NONE);
}

#[tokio::test]
async fn errors() {
    struct Unwilling;
    impl Serialize for Unwilling {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("no"))
        }
    }

    let two = Two::new(NEW);
    let emitter = emitter(&two);
    for name in ["error", "connect", "connect_error", "disconnect", "disconnecting"] {
        let error = emitter.emit(name, ()).expect_err(name);
        assert_eq!(error.to_string(), format!("\"{name}\" is a reserved event name"));
    }
    let error = emitter.emit("hi", Unwilling).expect_err("it cannot be written");
    assert_eq!(error.to_string(), "the arguments cannot be encoded: no");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("no"));
    two.broker.is(Health::Full);
    let error = emitter.emit("hi", ()).expect_err("the queue is full");
    assert_eq!(error.to_string(), "the queue of messages for the broker is full");
    assert!(error.source().is_none());
    let error = EmitterError::Unsupported("some nodes");
    assert_eq!(error.to_string(), "some nodes do not know this message");
    let text = format!("{emitter:?}");
    assert!(text.starts_with("Emitter { options: BroadcastOptions {"), "{text}");
}
