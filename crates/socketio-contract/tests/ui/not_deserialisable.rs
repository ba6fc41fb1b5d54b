use schemars::JsonSchema;
use serde::Serialize;
use socketio_contract::contract;

#[derive(Serialize, JsonSchema)]
pub struct Stroke {
    width: f64,
}

#[contract(namespace = "/")]
mod board {
    use super::*;

    pub trait FromClient {
        #[event("stroke")]
        fn draw(&self, stroke: Stroke);
    }
}

fn main() {}
