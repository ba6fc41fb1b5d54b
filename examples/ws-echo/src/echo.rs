//! The messages of one connection, back to where they came from.
//!
//! The codec moves no bytes itself, so this is the whole of it: bytes are read and fed to the
//! decoder, what it makes of them is answered into a vector, and the vector is written. While it is
//! written nothing is read, so a client that does not take its answers cannot pile them up.

use std::io;
use std::time::Duration;

use engineio_proto::websocket::deflate::Deflation;
use engineio_proto::websocket::extensions::Agreement;
use engineio_proto::websocket::frame::{self, Opcode};
use engineio_proto::websocket::{Decoder, Encoder, Event, close};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Echoes until the client closes, goes away or breaks the rules.
///
/// # Errors
/// The stream's.
pub(crate) async fn echo(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    agreement: Option<Agreement>,
    max_message: usize,
) -> io::Result<()> {
    // as many frames as there may be bytes: only those without any are too many
    let mut decoder = Decoder::new(max_message, max_message.max(MIN_FRAMES));
    let mut encoder = Encoder::new();
    if let Some(agreement) = &agreement {
        decoder = decoder.with_deflate(agreement);
        encoder = encoder.with_deflate(agreement, DEFLATION);
    }
    let mut input = vec![0; INPUT];
    loop {
        let count = stream.read(&mut input).await?;
        if count == 0 {
            return Ok(());
        }
        let mut messages = decoder.feed(&mut input[..count]);
        let mut out = Vec::new();
        let mut is_over = false;
        loop {
            match messages.next() {
                Ok(None) => break,
                Ok(Some(Event::Text(text))) => encoder.text(text, &mut out),
                Ok(Some(Event::Binary(bytes))) => encoder.binary(&bytes, &mut out),
                Ok(Some(Event::Ping(payload))) => {
                    frame::write_frame(Opcode::Pong, payload, &mut out);
                }
                Ok(Some(Event::Pong)) => {}
                // RFC 6455 5.5.1: the code is sent back
                Ok(Some(Event::Close(reason))) => {
                    out.extend(close::frame(reason.map(|(code, _)| code), ""));
                    is_over = true;
                }
                // RFC 6455 7.1.7
                Err(violation) => {
                    out.extend(close::frame(Some(violation.code()), violation.message()));
                    is_over = true;
                }
            }
            // small answers go out together; those to large messages, as they come
            if out.len() >= OUTPUT {
                stream.write_all(&out).await?;
                out = Vec::new();
            }
        }
        stream.write_all(&out).await?;
        stream.flush().await?;
        if is_over {
            return end(stream, &mut input).await;
        }
    }
}

/// Closes the connection, so that the close frame arrives: bytes that nobody reads would reset it.
// RFC 6455 7.1.1
async fn end(mut stream: impl AsyncRead + AsyncWrite + Unpin, input: &mut [u8]) -> io::Result<()> {
    stream.shutdown().await?;
    let rest = async {
        while stream.read(input).await? > 0 {}
        io::Result::Ok(())
    };
    // the client may take its time, but not for ever
    tokio::time::timeout(PATIENCE, rest).await.unwrap_or(Ok(()))
}

/// A message below 64 bytes seldom gets smaller. Level 1, the fastest.
const DEFLATION: Deflation = Deflation { threshold: 64, level: 1 };

/// Frames that even a tiny message may have.
const MIN_FRAMES: usize = 100;

/// Bytes that are read at once.
const INPUT: usize = 64 * 1024;

/// Bytes of answers that need not wait for others.
const OUTPUT: usize = 64 * 1024;

/// How long a client may take to end a connection that is closed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
