//! The whiteboard without a port and without a page.

use socketio_contract::Refused;
use socketio_testkit::{Client, Connector};

use super::*;
use crate::contract::{Color, Person};

#[test]
fn the_page_has_the_types() {
    whiteboard::contract().check_typescript("page/src/whiteboard.ts");
}

#[tokio::test(start_paused = true)]
async fn people_draw_together() {
    let server = Connector::of(&server().expect("options that make sense"));
    let connect = async || {
        let client = Client::builder().namespace(whiteboard::NAMESPACE).connect(&server).await;
        whiteboard::client(client.expect("nobody refuses"))
    };
    let (mut ann, mut bob) = (connect().await, connect().await);
    let stroke = Stroke {
        color: Color::Red,
        width: 2.0,
        points: vec![Point { x: 0.0, y: 0.5 }, Point { x: 1.0, y: 0.5 }],
    };
    ann.join("ann".to_owned()).await.expect("the name is free");
    ann.draw(stroke.clone()).await;
    assert_eq!(bob.hears().joined().await.name, "ann");
    assert_eq!(bob.hears().drawn().await, stroke);

    let taken = bob.join("ANN".to_owned()).await;
    assert_eq!(taken, Err(Refused::Error(JoinError::Taken { by: "ann".to_owned() })));
    let joined = bob.join("bob".to_owned()).await.expect("the name is free");
    assert_eq!(joined.strokes, [stroke]);
    let names: Vec<&str> = joined.people.iter().map(|Person { name, .. }| &**name).collect();
    assert_eq!(names, ["ann", "bob"]);

    bob.clear().await;
    assert_eq!(ann.hears().joined().await.name, "bob");
    assert_eq!(ann.hears().cleared().await, "bob");
    let id = bob.raw().id().to_owned();
    bob.raw().disconnect().await;
    assert_eq!(&*ann.hears().left().await, id);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_drawn_is_refused() {
    let server = Connector::of(&server().expect("options that make sense"));
    let client = Client::builder().namespace(whiteboard::NAMESPACE).connect(&server).await;
    let mut ann = whiteboard::client(client.expect("nobody refuses"));
    let points = vec![Point { x: 0.0, y: 0.0 }, Point { x: 0.0, y: 2.0 }];
    ann.draw(Stroke { color: Color::Ink, width: 2.0, points }).await;
    let told = ann.raw().next_event().await;
    assert_eq!((&*told.name, &told.args[0]["at"]), ("contract:error", &"/0/points/1".into()));
}
