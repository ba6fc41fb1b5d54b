//! The profiles `recovery*`: namespaces whose clients come back, and `/control`, by which the cases
//! make things happen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use socketio::emit::{BroadcastOperator, EmitError, One, Spread};
use socketio::events::{NotRecovered, Recovery};
use socketio::options::ConnectionStateRecovery;
use socketio::parser::Parser;
use socketio::serve::{Closing, Request};
use socketio::{
    Ack, BoxError, Builder, ConnectError, Data, Namespace, Reason, Server, Socket, Value,
};

use crate::common::{label_of, rooms_of};

/// The options of a profile.
pub(crate) fn profile(name: &str, base: Builder) -> Option<Builder> {
    let ms = Duration::from_millis;
    let mut recovery = ConnectionStateRecovery::default();
    recovery.max_disconnection_duration = ms(2000);
    let base = match name {
        "recovery" => base,
        "recovery-msgpack" => base.parser(Parser::msgpack()),
        "recovery-mw" => {
            recovery.skip_middlewares = false;
            base
        }
        "recovery-ping" => base.ping_interval(ms(300)).ping_timeout(ms(500)),
        "recovery-small" => {
            recovery.max_kept_packets = 50;
            recovery.max_kept_bytes = 20_000;
            recovery.max_away_sessions = 5;
            base
        }
        "recovery-identity" => {
            recovery = recovery.bind_to(|_: &Request, auth: &Value| {
                auth.get("user").and_then(Value::as_str).unwrap_or_default().to_owned()
            });
            base
        }
        _ => return None,
    };
    Some(base.connection_state_recovery(recovery))
}

const NAMES: [&str; 3] = ["/", "/chat", "/other"];

/// What was noted of the sockets of a label.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<HashMap<String, Vec<String>>>>);

impl Notes {
    fn add(&self, socket: &Socket, text: &str) {
        let Some(label) = label_of(socket) else { return };
        let mut notes = self.0.lock().expect("nothing panics here");
        if notes.len() < 1000 || notes.contains_key(&label) {
            let note = format!("{} {text}", socket.namespace().name());
            notes.entry(label).or_default().push(note);
        }
    }

    fn of(&self, label: &str) -> Vec<String> {
        self.0.lock().expect("nothing panics here").get(label).cloned().unwrap_or_default()
    }
}

/// How often the middleware ran for a socket.
#[derive(Clone)]
struct Ran(u32);

pub(crate) fn add(io: &Server) {
    let notes = Notes::default();
    for name in NAMES {
        namespace(io, &io.of(name), &notes);
    }
    control(io, &notes);
}

fn auth(socket: &Socket, name: &str) -> Option<Value> {
    socket.handshake().auth()?.get(name).cloned().filter(|value| !value.is_null())
}

fn namespace(io: &Server, namespace: &Namespace, notes: &Notes) {
    let noted = notes.clone();
    namespace.use_fn(async move |socket: Socket| {
        let ran = socket.extensions().get::<Ran>().map_or(0, |ran| ran.0);
        socket.extensions().insert(Ran(ran + 1));
        noted.add(&socket, "middleware");
        if let Some(ms) = auth(&socket, "wait").as_ref().and_then(Value::as_f64) {
            tokio::time::sleep(Duration::from_millis(ms.clamp(0.0, 1000.0) as u64)).await;
        }
        match auth(&socket, "reject") {
            Some(_) => Err(ConnectError::new("rejected")),
            None => Ok(()),
        }
    });
    let (io, notes) = (io.clone(), notes.clone());
    namespace.on_connection(move |socket: Socket| {
        notes.add(&socket, if socket.recovered() { "recovered" } else { "fresh" });
        let noted = notes.clone();
        socket.on_disconnecting(move |socket: Socket, Reason(reason): Reason| {
            noted.add(&socket, &format!("disconnecting {reason}"));
        });
        let noted = notes.clone();
        socket.on_disconnect(move |socket: Socket, Reason(reason): Reason| {
            noted.add(&socket, &format!("disconnect {reason}"));
        });
        socket.on("state", |socket: Socket, ack: Ack| ack.send(One(state(&socket))));
        socket.on("set", |socket: Socket, Data((key, value)): Data<(String, Value)>, ack: Ack| {
            set(&socket, [(key, value)])?;
            ack.send(())?;
            Ok::<(), BoxError>(())
        });
        socket.on(
            "at-disconnecting",
            |socket: Socket, Data(what): Data<AtDisconnecting>, ack: Ack| {
                let what = Arc::new(what);
                socket.on_disconnecting(move |socket: Socket| {
                    let what = Arc::clone(&what);
                    if let Some(room) = &what.join {
                        drop(socket.join(room.clone()));
                    }
                    if let Some(room) = &what.leave {
                        drop(socket.leave(room.clone()));
                    }
                    set(&socket, what.set.clone().unwrap_or_default())
                });
                ack.send(())
            },
        );
        let server = io.clone();
        socket.on("server-close", async move || {
            let closing: Closing = server.close();
            closing.within(Duration::from_millis(500)).await;
            println!("closed");
        });
        if auth(&socket, "greet").is_some() {
            let _ = socket.emit("greet", socket.recovered());
        }
    });
}

#[derive(Deserialize)]
struct AtDisconnecting {
    join: Option<String>,
    leave: Option<String>,
    set: Option<HashMap<String, Value>>,
}

fn set(
    socket: &Socket,
    members: impl IntoIterator<Item = (String, Value)>,
) -> Result<(), BoxError> {
    let mut data: BTreeMap<String, Value> = socket.data().unwrap_or_default();
    data.extend(members);
    socket.set_data(&data)
}

fn state(socket: &Socket) -> Value {
    let outcome = match socket.recovery() {
        Recovery::Recovered { missed } => {
            [("missed", Value::from(missed as u64))].into_iter().collect()
        }
        Recovery::NotRecovered(why) => Value::from(match why {
            NotRecovered::NoPid => "no-pid",
            NotRecovered::UnknownSession => "unknown-session",
            NotRecovered::Expired => "expired",
            NotRecovered::Evicted => "evicted",
            NotRecovered::Identity => "identity",
            NotRecovered::Unsupported => "unsupported",
            _ => "busy",
        }),
    };
    let ran = socket.extensions().get::<Ran>().map_or(0, |ran| ran.0);
    let data: Value = socket.data().unwrap_or_else(|| Value::Object(Box::default()));
    [
        ("id", Value::from(socket.id().as_str())),
        ("recovered", socket.recovered().into()),
        ("rooms", rooms_of(socket).into()),
        ("data", data),
        ("mw", u64::from(ran).into()),
        ("outcome", outcome),
    ]
    .into_iter()
    .collect()
}

/// What is to be sent, and to whom.
#[derive(Default, Deserialize)]
#[serde(default)]
struct What {
    nsp: Option<String>,
    id: String,
    rooms: Vec<String>,
    except: Vec<String>,
    flags: Vec<String>,
    event: String,
    args: Vec<Value>,
    n: Option<u64>,
    from: u64,
    bytes: usize,
    ask: bool,
    timeout: Option<u64>,
    how: String,
}

impl What {
    fn namespace(&self, io: &Server) -> Namespace {
        of(io, self.nsp.as_deref())
    }

    fn target(&self, io: &Server) -> BroadcastOperator {
        let target = self.namespace(io).compress(true);
        let target = target.to(self.rooms.clone()).except(self.except.clone());
        if self.is_volatile() { target.volatile() } else { target }
    }

    fn is_volatile(&self) -> bool {
        self.flags.iter().any(|flag| flag == "volatile")
    }

    /// The arguments of each event.
    fn each(&self) -> impl Iterator<Item = Spread<Value>> {
        (self.from..self.from + self.n.unwrap_or(1)).map(|number| {
            let mut args: Vec<Value> = self.n.map(|_| number.into()).into_iter().collect();
            args.extend(self.args.iter().cloned());
            if self.bytes > 0 {
                args.push(Value::from(bytes::Bytes::from(vec![number as u8; self.bytes])));
            }
            Spread(args)
        })
    }
}

fn of(io: &Server, name: Option<&str>) -> Namespace {
    io.of(name.filter(|name| NAMES.contains(name)).unwrap_or("/"))
}

fn direct(io: &Server, what: What) -> Result<Value, EmitError> {
    let Some(socket) = what.namespace(io).connected().get(&what.id) else {
        return Ok(false.into());
    };
    for args in what.each() {
        if what.ask {
            socket
                .emit_with_ack(&what.event, args)
                .callback(|_: Result<Spread<Value>, socketio::emit::AckError>| {});
        } else if what.is_volatile() {
            socket.volatile().emit(&what.event, args)?;
        } else {
            socket.emit(&what.event, args)?;
        }
    }
    Ok(true.into())
}

fn control(io: &Server, notes: &Notes) {
    let (server, notes) = (io.clone(), notes.clone());
    io.of("/control").on_connection(move |control: Socket| {
        let on = |event: &'static str, f: fn(&Server, What) -> Result<Value, EmitError>| {
            let io = server.clone();
            control.on(event, move |Data(what): Data<What>, ack: Ack| ack.send(One(f(&io, what)?)));
        };
        on("emit", |io, what| {
            what.each().try_for_each(|args| what.target(io).emit(&what.event, args))?;
            Ok(Value::Null)
        });
        on("direct", direct);
        on("end", |io, what| {
            let socket = what.namespace(io).connected().get(&what.id);
            if let Some(socket) = &socket {
                match what.how.as_str() {
                    "engine" => socket.conn().close(),
                    how => socket.disconnect(how == "close"),
                }
            }
            Ok(socket.is_some().into())
        });
        let io = server.clone();
        control.on("ask", async move |Data(what): Data<What>, ack: Ack| {
            let timeout = Duration::from_millis(what.timeout.unwrap_or(500));
            for args in what.each() {
                let asked = what.target(&io).timeout(timeout);
                let answers = asked.emit_with_ack::<Spread<Value>>(&what.event, args).await?;
                ack.send(answers.into_answers().len() as u64)?;
            }
            Ok::<(), BoxError>(())
        });
        let io = server.clone();
        control.on("find", move |Data((nsp, id)): Data<(String, String)>, ack: Ack| {
            let socket = of(&io, Some(&nsp)).connected().get(&id);
            ack.send(One(socket.map_or(Value::Null, |socket| state(&socket))))
        });
        let io = server.clone();
        control.on("ids", move |Data(nsp): Data<String>, ack: Ack| {
            let sockets: BTreeSet<String> =
                of(&io, Some(&nsp)).connected().iter().map(|s| s.id().to_string()).collect();
            ack.send(One(sockets.into_iter().collect::<Vec<_>>()))
        });
        let notes = notes.clone();
        control.on("notes", move |Data(label): Data<String>, ack: Ack| {
            ack.send(One(notes.of(&label)))
        });
    });
}
