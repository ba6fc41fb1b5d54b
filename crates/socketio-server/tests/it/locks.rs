//! Code of the user that is reached while packets are queued, dropped and waited for: it may emit to
//! the same sockets, as no lock is held then. In debug builds a lock that is held is a panic of its
//! own, see `engineio_proto::guard`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};

use bytes::Bytes;
use socketio::emit::OverflowPolicy;
use socketio::{Binary, Server, Socket};
use testkit::{Eio, Polling, TIMEOUT, settle};

use crate::support::{Peer, connector, leave_nothing, nothing_left};

/// Bytes whose owner emits to a room when it is dropped.
struct Owner {
    io: Server,
    dropped: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &[7; 64 * 1024]
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.io.to("room").emit("gone", ()).unwrap();
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// Emits to a room when it is woken.
struct Emitting {
    io: Server,
    woken: AtomicUsize,
}

impl Wake for Emitting {
    fn wake(self: Arc<Self>) {
        self.io.to("room").emit("woken", ()).unwrap();
        self.woken.fetch_add(1, Ordering::SeqCst);
    }
}

fn server(policy: OverflowPolicy) -> Server {
    let io = Server::builder().slow_consumer(policy).max_outbound_packets(8).build().unwrap();
    io.on_connection(async |socket: Socket| socket.join("room").await);
    io
}

/// Runs on a thread of its own what would hang there if it met a lock that is held.
fn on_a_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, result) = mpsc::channel();
    std::thread::spawn(move || sender.send(f()));
    result.recv_timeout(TIMEOUT).expect("it hangs, or has panicked")
}

fn owned(io: &Server, dropped: &Arc<AtomicUsize>) -> Binary {
    let owner = Owner { io: io.clone(), dropped: Arc::clone(dropped) };
    Binary(Bytes::from_owner(owner))
}

/// Whichever way a queue gets rid of what is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attachment_whose_owner_emits() {
    for policy in
        [OverflowPolicy::DropOldest, OverflowPolicy::DropNewest, OverflowPolicy::Disconnect]
    {
        let io = server(policy);
        let peer = Peer::join(&connector(&io), Eio::V4).await;
        settle().await;
        let dropped = Arc::new(AtomicUsize::new(0));
        let (emitting, counted) = (io.clone(), Arc::clone(&dropped));
        on_a_thread(move || {
            for _ in 0..100 {
                emitting.to("room").emit("x", owned(&emitting, &counted)).unwrap();
                let one = emitting.sockets().connected().iter().next();
                let _ = one.map(|socket| socket.emit("y", owned(&emitting, &counted)));
            }
        });
        // nor does another emitter wait
        let other = io.clone();
        on_a_thread(move || other.emit("fine", ()).unwrap());
        leave_nothing(&io, [peer]).await;
        assert!(dropped.load(Ordering::SeqCst) >= 100, "{policy:?}");
    }
}

/// Volatile packets make room for others.
#[tokio::test(start_paused = true)]
async fn a_volatile_attachment_whose_owner_emits() {
    let io = server(OverflowPolicy::DropNewest);
    let mut polling = Polling::open(&connector(&io), Eio::V4, "").await;
    polling.post(["40"]).await;
    polling.poll().await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dropped);
    let emitting = io.clone();
    let polled = tokio::spawn(async move { polling.poll().await });
    settle().await;
    on_a_thread(move || {
        emitting.to("room").volatile().emit("x", owned(&emitting, &counted)).unwrap();
        for n in 0..20 {
            emitting.to("room").emit("n", n).unwrap();
        }
    });
    assert_eq!(polled.await.unwrap().len(), 8);
    assert_eq!(io.stats().engine.volatile_dropped, 1);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

/// Who waits for room is woken by an overflow, by a poll that takes all, by the end, and by a writer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waker_that_emits() {
    for policy in [OverflowPolicy::DropOldest, OverflowPolicy::Disconnect] {
        let io = server(policy);
        let peer = Peer::join(&connector(&io), Eio::V4).await;
        settle().await;
        let emitting = Arc::new(Emitting { io: io.clone(), woken: AtomicUsize::new(0) });
        let waker = Waker::from(Arc::clone(&emitting));
        on_a_thread(move || {
            let io = emitting.io.clone();
            let socket = io.sockets().connected().iter().next().unwrap();
            let mut waiting: Option<Pin<Box<dyn Future<Output = ()>>>> = None;
            for _ in 0..200 {
                io.to("room").emit("x", Binary(Bytes::from(vec![0; 100_000]))).unwrap();
                let one = socket.clone();
                let mut writable = waiting
                    .take()
                    .unwrap_or_else(|| Box::pin(async move { drop(one.writable().await) }));
                if writable.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                    waiting = Some(writable);
                }
            }
            if policy == OverflowPolicy::Disconnect {
                assert!(emitting.woken.load(Ordering::SeqCst) > 0);
            }
        });
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_emits_when_a_poll_takes_all() {
    let io = server(OverflowPolicy::DropNewest);
    let mut polling = Polling::open(&connector(&io), Eio::V4, "").await;
    polling.post(["40"]).await;
    polling.poll().await;
    let socket = io.sockets().connected().iter().next().unwrap();
    for n in 0..6 {
        socket.emit("n", n).unwrap();
    }
    let emitting = Arc::new(Emitting { io: io.clone(), woken: AtomicUsize::new(0) });
    let waker = Waker::from(Arc::clone(&emitting));
    let mut writable = Box::pin(socket.writable());
    assert!(writable.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(polling.poll().await.len(), 6);
    assert_eq!(emitting.woken.load(Ordering::SeqCst), 1);
    assert_eq!(polling.poll().await, [r#"42["woken"]"#]);
    drop(writable);
    io.close().await;
    nothing_left(&io).await;
}
