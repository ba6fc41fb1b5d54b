//! Sends an event to the clients of a cluster from a program that is no server of it:
//! `cargo run -p socketio-redis --example emit -- redis://127.0.0.1:6379 EVENT TEXT [ROOM]`.

use std::error::Error;

use socketio_redis::RedisAdapter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, event, text, rooms @ ..] = arguments.as_slice() else {
        return Err("usage: emit REDIS_URL EVENT TEXT [ROOM]".into());
    };
    let redis = RedisAdapter::builder(url.as_str()).build()?;
    redis.emitter("/").to(rooms).emit(event, text)?;
    // it has left the program, or is lost
    redis.flushed().await;
    match redis.stats().lost {
        0 => Ok(()),
        _ => Err("Redis did not take it".into()),
    }
}
