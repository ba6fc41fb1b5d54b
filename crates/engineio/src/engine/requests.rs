//! The requests of a session that polls, whoever carries them: HTTP requests of its client, or those
//! that another node passed on.

use std::future::Future;

use bytes::Bytes;
use engineio_proto::payload::{self, Form};
use engineio_proto::{CloseReason, Outgoing, Protocol, TransportKind};
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::engine::relay::RequestError;
use crate::reason::CloseDetail;
use crate::session::mailbox::{Mail, NotAdmitted, Post};
use crate::session::socket::Socket;
use crate::transport::polling::{Poll, PollAnswer};

impl Engine {
    /// The session that a request names, if the request fits it.
    fn polling_session(&self, sid: &str, protocol: Protocol) -> Result<Socket, RequestError> {
        let socket = self.session(sid).ok_or(RequestError::UnknownSession)?;
        let fits = socket.protocol() == protocol && socket.transport() == TransportKind::Polling;
        if fits { Ok(socket) } else { Err(RequestError::Mismatch) }
    }

    /// [`Engine::poll`] of the session with an id, also of one that has just ended.
    pub(crate) async fn poll_by_id(
        &self,
        sid: &str,
        protocol: Protocol,
        text_only: bool,
    ) -> Result<PollAnswer, RequestError> {
        match self.polling_session(sid, protocol) {
            Ok(socket) => self.poll(&socket, text_only).await,
            Err(RequestError::UnknownSession) => self.last_answer(sid, protocol, text_only),
            Err(error) => Err(error),
        }
    }

    /// [`Upload::take`] for the session with an id, of a body that is there.
    pub(crate) async fn post_by_id(
        &self,
        sid: &str,
        form: Form,
        body: Bytes,
    ) -> Result<(), RequestError> {
        let protocol = match form {
            Form::V4 => Protocol::V4,
            Form::V3Text | Form::V3Binary => Protocol::V3,
        };
        let socket = self.polling_session(sid, protocol)?;
        let upload = self.begin_post(&socket)?;
        if body.len() > self.options.max_http_buffer_size {
            upload.fail(Some(CloseDetail::TooLarge));
            return Err(RequestError::TooLarge);
        }
        upload.take(form, body).await;
        Ok(())
    }

    /// Waits for packets. Dropped, the session ends: its client has gone away with the poll.
    // Engine.IO v4: HTTP long-polling, receiving
    pub(crate) async fn poll(
        &self,
        socket: &Socket,
        text_only: bool,
    ) -> Result<PollAnswer, RequestError> {
        let (reply, answer) = oneshot::channel();
        match socket.shared().mailbox.admit_poll(Poll { base64: text_only, reply }) {
            Ok(()) => socket.wake(),
            Err(not_admitted) => match refuse(socket, not_admitted) {
                RequestError::UnknownSession => {
                    return self.last_answer(socket.id(), socket.protocol(), text_only);
                }
                error => return Err(error),
            },
        }
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) if socket.transport() == TransportKind::Polling => {
                self.last_answer(socket.id(), socket.protocol(), text_only)
            }
            // it crossed the upgrade
            Err(_) => Err(RequestError::Mismatch),
        }
    }

    /// The answer to a poll whose session is not there.
    // Node: a poll that is parked when its client closes is answered with a noop
    pub(crate) fn last_answer(
        &self,
        sid: &str,
        protocol: Protocol,
        text_only: bool,
    ) -> Result<PollAnswer, RequestError> {
        let now = tokio::time::Instant::now().into_std();
        let last = self.crossings.take(sid, protocol, now).ok_or(RequestError::UnknownSession)?;
        let mut payload = Vec::new();
        let last = [Outgoing::packet(last, "")];
        let content_type = payload::encode(protocol, text_only, &last, &mut payload);
        Ok(PollAnswer { payload, content_type, compress: false })
    }

    /// Admits a POST, whose body is to be read.
    pub(crate) fn begin_post<'a>(&'a self, socket: &'a Socket) -> Result<Upload<'a>, RequestError> {
        match socket.shared().mailbox.admit_post() {
            Ok(()) => Ok(Upload { engine: self, socket, is_read: false }),
            Err(not_admitted) => Err(refuse(socket, not_admitted)),
        }
    }
}

/// Two requests of a kind at the same time end the session.
fn refuse(socket: &Socket, not_admitted: NotAdmitted) -> RequestError {
    match not_admitted {
        NotAdmitted::Closed => RequestError::UnknownSession,
        NotAdmitted::Overlap => {
            let detail = Some(CloseDetail::OverlappingRequests);
            socket.close_for(CloseReason::TransportError, detail);
            RequestError::Overlap
        }
    }
}

/// A POST of which the body is being read; if its request breaks, so does the session.
pub(crate) struct Upload<'a> {
    engine: &'a Engine,
    socket: &'a Socket,
    is_read: bool,
}

impl Upload<'_> {
    /// The session is over.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let ended = self.socket.shared().mailbox.ended();
        async move {
            let _ = ended.await;
        }
    }

    /// The body cannot be had: the session ends.
    pub(crate) fn fail(mut self, detail: Option<CloseDetail>) {
        self.is_read = true;
        self.socket.close_for(CloseReason::TransportError, detail);
    }

    /// A body that says nothing.
    pub(crate) fn ignore(mut self) {
        self.is_read = true;
        self.socket.shared().mailbox.post_answered();
    }

    /// Hands the packets to the session, and waits until it has taken them, or its client must be
    /// told to go on before. An end of the session meanwhile makes no difference.
    // Engine.IO v4: HTTP long-polling, sending
    pub(crate) fn take(mut self, form: Form, body: Bytes) -> impl Future<Output = ()> + use<> {
        self.is_read = true;
        let packets =
            payload::Decoder::new(form, body, self.engine.options.max_packets_per_payload);
        let (post, taken) = Post::new(packets);
        if self.socket.shared().mailbox.put(Mail::Post(post)) {
            self.socket.wake();
        }
        async move {
            let _ = taken.await;
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if !self.is_read {
            self.socket.close_for(CloseReason::TransportError, None);
        }
    }
}
