//! The profiles: one way each to build the server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engineio::Options;
use socketio::options::{
    ConnectionStateRecovery, Cookie, Cors, Origins, PerMessageDeflate, Refused, TransportKind,
};
use socketio::parser::Parser;
use socketio::serve::Request;
use socketio::{BoxError, Builder, Server};

use crate::nosticky::{self, Joined};
use crate::{recovery, webtransport};

/// What a profile stands for.
pub(crate) enum Chosen {
    /// The fixture of the conformance cases.
    Fixture(Builder),
    /// The server of the abuse suite; with the handlers of `abuse-app`, or without.
    Abuse(Builder, bool),
    /// Handlers with types, and a rule for namespaces.
    Api(Builder),
    /// The ordinary API under load.
    Bench(Builder),
    /// The server of the official suite of Socket.IO protocol 5.
    Suite(Builder),
    /// The server of an official suite of an Engine.IO protocol.
    Engine(Options),
    /// The server of the WebTransport suite.
    WebTransport,
    /// Known, but not offered.
    Unavailable,
    Unknown,
}

impl Chosen {
    /// Gives the server its part in a cluster, if one is asked for.
    pub(crate) fn join(self, options: &nosticky::Options) -> Result<(Self, Joined), BoxError> {
        let join = |builder, chosen: fn(Builder) -> Self| {
            let (builder, joined) = options.join(builder)?;
            Ok((chosen(builder), joined))
        };
        match self {
            Self::Fixture(builder) => join(builder, Self::Fixture),
            Self::Api(builder) => join(builder, Self::Api),
            Self::Bench(builder) => join(builder, Self::Bench),
            Self::Suite(builder) => join(builder, Self::Suite),
            Self::Abuse(builder, more) => {
                let (builder, joined) = options.join(builder)?;
                Ok((Self::Abuse(builder, more), joined))
            }
            other => Ok((other, Joined::default())),
        }
    }
}

pub(crate) fn choose(profile: &str) -> Result<Chosen, BoxError> {
    let ms = Duration::from_millis;
    let base = Server::builder().ping_interval(ms(25_000)).ping_timeout(ms(60_000));
    let builder = match profile {
        "default" | "root-mw" | "closable" | "receipts" | "nosticky" => base,
        "receipts-ping" => base.ping_interval(ms(400)).ping_timeout(ms(600)),
        "custom-path" => base.path("/my/own/path/"),
        "no-serve-client" => base.serve_client(false),
        "origins" => {
            base.origins(Origins::list("allowed.test:* secure.test:443 plain.test:80 *:9090")?)
        }
        "origins-fn" => base.origins(Origins::check(ok_test)),
        "allow-request" => base.allow_request(deny),
        "short-ping" => base.ping_interval(ms(300)).ping_timeout(ms(1500)),
        "short-upgrade" => base.upgrade_timeout(ms(300)),
        "small-buffer" => base.max_http_buffer_size(2000),
        "short-polls" => base.max_packets_per_poll(16),
        "websocket-only" => base.transports([TransportKind::WebSocket]),
        "polling-only" => base.transports([TransportKind::Polling]),
        "no-upgrades" => base.allow_upgrades(false),
        "custom-id" => {
            let count = AtomicU64::new(0);
            base.generate_id(move |_: Request| {
                format!("custom:id:{}", count.fetch_add(1, Ordering::Relaxed) + 1)
            })
        }
        "no-cookie" => base.cookie(None),
        "named-cookie" => {
            let mut cookie = Cookie::named("my-sid");
            cookie.path = Some("/sock".to_owned());
            base.cookie(cookie)
        }
        "no-deflate" => base.http_compression(None),
        "suite-sio5" => {
            let base = base.allow_eio3(false);
            let builder =
                base.ping_interval(ms(300)).ping_timeout(ms(200)).connect_timeout(ms(1000));
            return Ok(Chosen::Suite(builder.cookie(None).max_http_buffer_size(1_000_000)));
        }
        "suite-eio3" | "suite-eio4" => {
            let mut options = Options::default();
            options.path = "/engine.io/".to_owned();
            options.allow_eio3 = profile == "suite-eio3";
            options.ping_interval = ms(300);
            options.ping_timeout = ms(200);
            options.max_http_buffer_size = 1_000_000;
            return Ok(Chosen::Engine(options));
        }
        "soak" => {
            let builder = base.ping_interval(ms(1000)).ping_timeout(ms(4000));
            return Ok(Chosen::Abuse(builder.cookie(None).upgrade_timeout(ms(4000)), true));
        }
        "api" => return Ok(Chosen::Api(base)),
        "api-msgpack" => return Ok(Chosen::Api(base.parser(Parser::msgpack()))),
        "bench" | "bench-axum" => return Ok(Chosen::Bench(bench(base))),
        "bench-recovery" => {
            let recovery = ConnectionStateRecovery::default();
            return Ok(Chosen::Bench(bench(base).connection_state_recovery(recovery)));
        }
        "bench-deflate" => {
            return Ok(Chosen::Bench(
                bench(base).per_message_deflate(PerMessageDeflate::default()),
            ));
        }
        name if name.starts_with("abuse") => return abuse(name),
        name if webtransport::is_profile(name) => return Ok(Chosen::WebTransport),
        "msgpack" => base.parser(Parser::msgpack()),
        "deflate" => base.per_message_deflate(PerMessageDeflate::default()).http_compression(1024),
        name => match recovery::profile(name, base) {
            Some(builder) => builder,
            None => return Ok(Chosen::Unknown),
        },
    };
    Ok(Chosen::Fixture(builder))
}

/// For messages of any size that the load generator sends.
fn bench(base: Builder) -> Builder {
    base.cookie(None).max_http_buffer_size(10_000_000)
}

/// The profiles of the abuse suite.
fn abuse(profile: &str) -> Result<Chosen, BoxError> {
    let ms = Duration::from_millis;
    let base = Server::builder()
        .ping_timeout(ms(20_000))
        .cookie(None)
        .cors(Cors::Off)
        .http_compression(None);
    let fast = |builder: Builder| {
        let builder = builder.ping_interval(ms(300)).ping_timeout(ms(200));
        builder.connect_timeout(ms(1000)).upgrade_timeout(ms(1000))
    };
    Ok(match profile {
        "abuse" => Chosen::Abuse(base, false),
        "abuse-cors" => {
            let origins = Origins::list("https://ok.example")?.allow_missing(true);
            Chosen::Abuse(base.cors(Cors::FromOrigins).origins(origins), false)
        }
        "abuse-origins" => {
            Chosen::Abuse(base.origins(Origins::list("ok.example:443")?.allow_missing(true)), false)
        }
        "abuse-fast" => Chosen::Abuse(fast(base), false),
        "abuse-app" => Chosen::Abuse(fast(base), true),
        "abuse-nov3" => Chosen::Abuse(base.allow_eio3(false), false),
        "abuse-guard" => {
            let builder = base.cookie(Cookie::default()).allow_request(guard);
            Chosen::Abuse(builder.write_timeout(ms(1000)), false)
        }
        "abuse-lim" => {
            let builder = base
                .max_http_buffer_size(10_000)
                .request_timeouts(ms(2000), ms(2000))
                .max_outbound_bytes(256 * 1024)
                .max_outbound_packets(100)
                .upgrade_timeout(ms(1000))
                .connect_timeout(ms(1000))
                .max_sessions(150)
                .engine(|options| options.max_frames_per_message = 64)
                .limits(|limits| {
                    limits.packet.max_attachments = 3;
                    limits.packet.max_depth = 32;
                    limits.packet.max_args = 100;
                    limits.packet.max_namespace_len = 64;
                    limits.max_namespaces = 10;
                    limits.max_pending_acks = 100;
                });
            Chosen::Abuse(builder, false)
        }
        "abuse-msgpack" => Chosen::Abuse(base.parser(Parser::msgpack()), false),
        "abuse-deflate" => {
            let mut deflate = PerMessageDeflate::default();
            deflate.threshold = 0;
            Chosen::Abuse(base.per_message_deflate(deflate), false)
        }
        "abuse-rec" => {
            let mut recovery = ConnectionStateRecovery::default();
            recovery.max_disconnection_duration = ms(2000);
            Chosen::Abuse(base.connection_state_recovery(recovery), false)
        }
        "abuse-redis" => Chosen::Unavailable,
        _ => Chosen::Unknown,
    })
}

/// The function of the profile `abuse-guard`: `deny` refuses, `slow` takes its time.
async fn guard(request: Request) -> Result<(), Refused> {
    for (name, value) in engineio::query_pairs(request.query()) {
        match &*name {
            "deny" => return Err(Refused::with("denied")),
            "slow" => {
                let ms = value.parse().unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The function of the profile `origins-fn`.
fn ok_test(origin: String, _: Request) -> Result<(), Refused> {
    match origin.as_str() {
        "http://ok.test" => Ok(()),
        "http://msg.test" => Err(Refused::with("origin refused")),
        _ => Err(Refused::forbidden()),
    }
}

/// The function of the profile `allow-request`: the query parameter `deny` says why.
fn deny(request: Request) -> Result<(), Refused> {
    let deny = engineio::query_pairs(request.query()).find(|(name, _)| name == "deny");
    match deny {
        None => Ok(()),
        Some((_, code)) if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Refused::code(code.parse().unwrap_or(u32::MAX)))
        }
        Some((_, text)) => Err(Refused::with(text)),
    }
}
