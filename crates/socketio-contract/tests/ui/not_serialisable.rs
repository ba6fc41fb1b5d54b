use schemars::JsonSchema;
use serde::Deserialize;
use socketio_contract::contract;

#[derive(Deserialize, JsonSchema)]
pub struct Stroke {
    width: f64,
}

#[contract(namespace = "/")]
mod board {
    use super::*;

    pub trait FromClient {
        #[event("undo")]
        async fn undo(&self) -> Stroke;
    }
    pub trait ToClient {
        #[event("stroke")]
        fn drawn(stroke: &Stroke);
    }
}

fn main() {}
