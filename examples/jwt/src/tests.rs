use std::time::Duration;

use serde_json::{Value, json};
use socketio_testkit::{Client, ConnectError, Connector, Eio};

use crate::app;
use crate::auth::{Claims, Keys};

const SECRET: &[u8] = b"a secret of the test";

fn connector() -> Connector {
    Connector::of(&app::server(Keys::new(SECRET)))
}

async fn connect(
    server: &Connector,
    eio: Eio,
    token: Option<&str>,
) -> Result<Client, ConnectError> {
    let client = Client::builder().protocol(eio);
    let client = match (token, eio) {
        (None, _) => client,
        (Some(token), Eio::V3) => client.query(&format!("token={token}")),
        (Some(token), Eio::V4) => client.auth(json!({"token": token})),
    };
    client.connect(server).await
}

fn hour(name: &str) -> Claims {
    Claims::new(name, Duration::from_secs(60 * 60))
}

#[tokio::test(start_paused = true)]
async fn who_has_a_token_is_let_in() {
    let (server, keys) = (connector(), Keys::new(SECRET));
    let alice = keys.issue(&hour("alice")).unwrap();
    let bob = keys.issue(&hour("bob")).unwrap();
    for eio in Eio::BOTH {
        let mut alice = connect(&server, eio, Some(&alice)).await.unwrap();
        let mut bob = connect(&server, eio, Some(&bob)).await.unwrap();
        assert_eq!(alice.emit_with_ack_as::<String>("whoami", json!([])).await, "alice");
        assert_eq!(bob.emit_with_ack_as::<String>("whoami", json!([])).await, "bob");
        bob.emit("say", json!(["hello"])).await;
        let said: (String, String) = alice.next_event().await.args_as();
        assert_eq!(said, ("bob".to_owned(), "hello".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn others_are_refused() {
    let (server, keys) = (connector(), Keys::new(SECRET));
    let stranger = Keys::random().unwrap().issue(&hour("alice")).unwrap();
    let expired = keys.issue(&Claims::expired("alice")).unwrap();
    // a body of another token under a signature that is right for its own
    let (ours, other) = (keys.issue(&hour("alice")).unwrap(), keys.issue(&hour("root")).unwrap());
    let (head, signature) = (other.rsplit_once('.').unwrap().0, ours.rsplit_once('.').unwrap().1);
    let mixed = format!("{head}.{signature}");
    // "alg":"none", no signature
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", ours.split('.').nth(1).unwrap());
    for (token, code, message) in [
        (None, "missing", "a token is needed"),
        (Some(stranger), "invalid", "the token is not valid"),
        (Some(mixed), "invalid", "the token is not valid"),
        (Some(none), "invalid", "the token is not valid"),
        (Some("nonsense".to_owned()), "invalid", "the token is not valid"),
        (Some(expired), "expired", "the token has expired"),
    ] {
        for eio in Eio::BOTH {
            let error = connect(&server, eio, token.as_deref()).await.unwrap_err();
            let ConnectError::Namespace(said) = error else { panic!("{error}") };
            let expected: Value = match eio {
                Eio::V3 => json!({"code": code}),
                Eio::V4 => json!({"message": message, "data": {"code": code}}),
            };
            assert_eq!(said, expected, "{token:?}");
        }
    }
}
