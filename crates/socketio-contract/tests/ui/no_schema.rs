use serde::{Deserialize, Serialize};
use socketio::Socket;
use socketio_contract::contract;

#[derive(Serialize, Deserialize)]
pub struct Stroke {
    width: f64,
}

#[contract(namespace = "/")]
mod board {
    use super::*;

    pub trait FromClient {
        #[event("stroke")]
        fn draw(&self, socket: Socket, stroke: Stroke);
    }
    pub trait ToClient {
        #[event("stroke")]
        fn drawn(stroke: &Stroke);
    }
}

fn main() {}
