//! What other tasks hand to a session's driver: requests of the same session, and commands.
//!
//! A small vector under a lock and the session's waker, not a channel: an idle session holds
//! neither. Its length is bounded by its senders: of polls, posts and probes one each is admitted
//! at a time, see [`Mailbox`].

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use engineio_proto::guard::{self, lock};
use engineio_proto::payload::{self, Form};
use engineio_proto::{CloseReason, Violation};
use tokio::sync::oneshot;

use crate::reason::CloseDetail;
use crate::session::moved::Moved;
use crate::session::parting::Parting;
use crate::session::receipt::{Pending, Receipt, ReceiptError};
use crate::transport::framed::Framed;
use crate::transport::polling::Poll;

/// A message to the driver.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A poll that waits for packets.
    Poll(Poll),
    /// The body of a POST.
    Post(Box<Post>),
    /// A connection of another transport with the session's id was opened.
    Probe(Box<Framed>),
    /// The session is to end.
    Close(CloseReason, Option<CloseDetail>, Option<Violation>),
    /// The server closes; the end of the session comes when all sessions were told.
    Part(Parting),
    /// Another node has a WebSocket that the session may move to.
    Move(Move),
    /// The parked poll is to be answered: the node that passes it on goes away.
    Release,
    /// Somebody wants to know when the client has what was sent to it.
    Receipt(Pending),
    /// The session's task is to end at once, whether the peer knows or not.
    CutOff,
}

/// What becomes of an early upgrade that arrived at another node.
#[derive(Debug)]
pub(crate) enum Move {
    /// It arrived. The answer is whether the application is still held back for it.
    Claim(oneshot::Sender<bool>),
    /// The client probes.
    Probed,
    /// The client has decided for it. The answer is the session, if it is to move.
    Take(oneshot::Sender<Moved>),
    /// It is over.
    GiveUp,
}

/// The packets of a POST, to be taken as the application gets ready for them.
pub(crate) struct Post {
    pub(crate) packets: payload::Decoder,
    /// Told when the client may go on; none if it was.
    done: Option<oneshot::Sender<()>>,
    /// What came after it was told, and waits for these packets.
    next: Option<Box<Self>>,
}

impl Post {
    /// A post, and who waits for its answer.
    pub(crate) fn new(packets: payload::Decoder) -> (Box<Self>, oneshot::Receiver<()>) {
        let (done, taken) = oneshot::channel();
        (Box::new(Self { packets, done: Some(done), next: None }), taken)
    }

    /// Packets that came to another node, whose client was told.
    pub(crate) fn moved(packets: payload::Decoder, next: Option<Self>) -> Self {
        Self { packets, done: None, next: next.map(Box::new) }
    }

    /// What is in it and behind it, for another node.
    pub(crate) fn into_rest(mut self, mailbox: &Mailbox) -> Vec<(Form, Bytes)> {
        self.answer(mailbox);
        let mut all: Vec<_> = self.packets.into_rest().into_iter().collect();
        if let Some(next) = self.next {
            all.extend(next.into_rest(mailbox));
        }
        all
    }

    /// Bytes that it keeps, and those that wait behind it.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.packets.kept_bytes() + self.next.as_ref().map_or(0, |next| next.kept_bytes())
    }

    /// Another one, behind this one. Only one can be, for it is answered when it has its turn.
    pub(crate) fn follow(&mut self, post: Box<Self>) {
        debug_assert!(self.done.is_none() && self.next.is_none(), "one POST at a time");
        self.next = Some(post);
    }

    /// Tells the request that its packets were taken, or that it need not wait for that.
    pub(crate) fn answer(&mut self, mailbox: &Mailbox) {
        if let Some(done) = self.done.take() {
            // before the answer: the client's next POST may come at once
            mailbox.post_answered();
            let _ = done.send(());
        }
    }

    /// All its packets were taken: the next one.
    pub(crate) fn finish(&mut self, mailbox: &Mailbox) -> Option<Box<Self>> {
        self.answer(mailbox);
        self.next.take()
    }

    /// The session is over.
    pub(crate) fn finish_all(&mut self, mailbox: &Mailbox) {
        let mut next = self.finish(mailbox);
        while let Some(mut post) = next {
            next = post.finish(mailbox);
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

/// The mailbox: messages, and which requests of the session are under way.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    /// There is mail: for the driver, who asks each turn. Set under the lock.
    has_mail: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    mails: Vec<Mail>,
    /// A poll is parked or on its way to be.
    polling: bool,
    /// A POST is being read or taken.
    posting: bool,
    /// Dropped when the session ends: for a POST that waits for its body.
    ended: Option<oneshot::Sender<()>>,
    /// Another connection is being opened or probes.
    probing: bool,
    /// The session is over: nothing is taken.
    closed: bool,
}

/// Why a request of a session is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// Another of its kind is under way.
    Overlap,
    /// The session is over.
    Closed,
}

impl Mailbox {
    /// Puts a message in. False: the session is over and the message dropped.
    pub(crate) fn put(&self, mail: Mail) -> bool {
        let mut inner = lock(&self.inner);
        if !inner.closed {
            inner.mails.push(mail);
            self.has_mail.store(true, Ordering::Release);
        }
        !inner.closed
    }

    /// Asks for a receipt. All who ask before the driver takes the mail share one.
    pub(crate) fn ask_receipt(&self) -> Receipt {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Receipt::known(Err(ReceiptError::Gone));
        }
        let asked = inner.mails.iter().find_map(|mail| match mail {
            Mail::Receipt(pending) => Some(pending.receipt()),
            _ => None,
        });
        asked.unwrap_or_else(|| {
            let pending = Pending::new();
            let receipt = pending.receipt();
            inner.mails.push(Mail::Receipt(pending));
            self.has_mail.store(true, Ordering::Release);
            receipt
        })
    }

    /// Whether there is a message. Who puts one in after this look wakes the driver after that.
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Takes all messages.
    pub(crate) fn take(&self) -> Vec<Mail> {
        let mut inner = lock(&self.inner);
        self.has_mail.store(false, Ordering::Relaxed);
        std::mem::take(&mut inner.mails)
    }

    /// Admits a poll, if there is none.
    pub(crate) fn admit_poll(&self, poll: Poll) -> Result<(), NotAdmitted> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(NotAdmitted::Closed);
        }
        if std::mem::replace(&mut inner.polling, true) {
            return Err(NotAdmitted::Overlap);
        }
        inner.mails.push(Mail::Poll(poll));
        self.has_mail.store(true, Ordering::Release);
        Ok(())
    }

    /// The parked poll was answered.
    pub(crate) fn poll_answered(&self) {
        lock(&self.inner).polling = false;
    }

    /// Admits a POST, if there is none.
    pub(crate) fn admit_post(&self) -> Result<(), NotAdmitted> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(NotAdmitted::Closed);
        }
        if std::mem::replace(&mut inner.posting, true) {
            return Err(NotAdmitted::Overlap);
        }
        Ok(())
    }

    /// Resolves when the session is over, for the POST that was admitted.
    pub(crate) fn ended(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let before = {
            let mut inner = lock(&self.inner);
            if inner.closed { Some(sender) } else { inner.ended.replace(sender) }
        };
        drop(before); // outside of the lock, as it wakes
        receiver
    }

    /// The POST was answered.
    pub(crate) fn post_answered(&self) {
        let waiting = {
            let mut inner = lock(&self.inner);
            inner.posting = false;
            inner.ended.take()
        };
        drop(waiting); // outside of the lock, as it wakes
    }

    /// Admits a probing connection, if there is none.
    pub(crate) fn admit_probe(&self) -> bool {
        let mut inner = lock(&self.inner);
        !inner.closed && !std::mem::replace(&mut inner.probing, true)
    }

    /// The probe ended without an upgrade.
    pub(crate) fn probe_ended(&self) {
        lock(&self.inner).probing = false;
    }

    /// Takes nothing any more; what lies in it is dropped, which tells the senders.
    pub(crate) fn close(&self) {
        let dropped = {
            let mut inner = lock(&self.inner);
            inner.closed = true;
            (std::mem::take(&mut inner.mails), inner.ended.take())
        };
        // whoever waits is woken by it, and a stream is of others
        guard::let_go(dropped);
    }
}
