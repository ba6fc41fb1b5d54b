//! The profiles: one way each to build the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engineio::Options;
use socketio::{
    AllowRequest, BoxError, Builder, Cookie, GenerateId, OriginCheck, Origins, Refused, Request,
    Server, TransportKind,
};

/// What a profile stands for.
pub(crate) enum Chosen {
    /// The fixture of the conformance cases.
    Fixture(Builder),
    /// The server of the official suite of Socket.IO protocol 5.
    Suite(Builder),
    /// The server of an official suite of an Engine.IO protocol.
    Engine(Options),
    /// Known, but not offered.
    Unavailable,
    Unknown,
}

pub(crate) fn choose(profile: &str) -> Result<Chosen, BoxError> {
    let ms = Duration::from_millis;
    let base = Server::builder().ping_interval(ms(25_000)).ping_timeout(ms(60_000));
    let builder = match profile {
        "default" | "root-mw" | "closable" => base,
        "custom-path" => base.path("/my/own/path/"),
        "no-serve-client" => base.serve_client(false),
        "origins" => base.origins(Origins::list(
            "allowed.test:* secure.test:443 plain.test:80 *:9090",
        )?),
        "origins-fn" => base.origins(Origins::check(OkTest)),
        "allow-request" => base.allow_request(Deny),
        "short-ping" => base.ping_interval(ms(300)).ping_timeout(ms(400)),
        "short-upgrade" => base.upgrade_timeout(ms(300)),
        "small-buffer" => base.max_http_buffer_size(2000),
        "websocket-only" => base.transports([TransportKind::WebSocket]),
        "polling-only" => base.transports([TransportKind::Polling]),
        "no-upgrades" => base.allow_upgrades(false),
        "custom-id" => base.generate_id(Counted(AtomicU64::new(0))),
        "no-cookie" => base.cookie(None),
        "named-cookie" => {
            let mut cookie = Cookie::named("my-sid");
            cookie.path = Some("/sock".to_owned());
            base.cookie(cookie)
        }
        "no-deflate" => base.http_compression(None),
        "suite-sio5" => {
            let builder = base.ping_interval(ms(300)).ping_timeout(ms(200)).connect_timeout(ms(1000));
            return Ok(Chosen::Suite(builder.cookie(None).max_http_buffer_size(1_000_000)));
        }
        "suite-eio3" | "suite-eio4" => {
            let mut options = Options::default();
            options.path = "/engine.io/".to_owned();
            options.ping_interval = ms(300);
            options.ping_timeout = ms(200);
            options.max_http_buffer_size = 1_000_000;
            return Ok(Chosen::Engine(options));
        }
        "msgpack" | "deflate" => return Ok(Chosen::Unavailable),
        _ => return Ok(Chosen::Unknown),
    };
    Ok(Chosen::Fixture(builder))
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The function of the profile `origins-fn`.
struct OkTest;

impl OriginCheck for OkTest {
    fn check<'a>(&'a self, origin: &'a str, _: &'a Request) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            match origin {
                "http://ok.test" => Ok(()),
                "http://msg.test" => Err(Refused::with("origin refused")),
                _ => Err(Refused::forbidden()),
            }
        })
    }
}

/// The function of the profile `allow-request`: the query parameter `deny` says why.
struct Deny;

impl AllowRequest for Deny {
    fn allow<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let deny = engineio::query_pairs(request.query()).find(|(name, _)| name == "deny");
            match deny {
                None => Ok(()),
                Some((_, code)) if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) => {
                    Err(Refused::code(code.parse().unwrap_or(u32::MAX)))
                }
                Some((_, text)) => Err(Refused::with(text)),
            }
        })
    }
}

/// The function of the profile `custom-id`.
struct Counted(AtomicU64);

impl GenerateId for Counted {
    fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<String, String>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move { Ok(format!("custom:id:{number}")) })
    }
}
