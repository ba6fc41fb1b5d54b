//! Receipts: that a client has taken what was sent to it. What they are is the engine's matter.

use engineio::{Receipt, ReceiptError, Received};

use super::Socket;

impl Socket {
    /// Asks for a receipt: it resolves when the client has taken all that was sent to it until now, by
    /// events, broadcasts and answers, in all namespaces of its connection.
    ///
    /// It needs nothing of the page's code: a ping follows what was sent, and the n-th pong of a client
    /// 3.x or later answers the n-th ping. *Taken* means that the client's library has read the events
    /// and handed them on, not that their handlers have done their work; those of a JavaScript client
    /// 4.8 may begin a moment later. For that there is [`Socket::emit_with_ack`]. See
    /// [`delivery`](crate::guide::delivery#what-was-received) for the difference, and for what was tried with
    /// which clients.
    ///
    /// As a value it can be asked ([`Receipt::is_done`]), cloned and kept; it holds nothing of the
    /// socket. Dropping it takes back the question.
    ///
    /// Costs: one ping and one pong, of one character each and the transport's frame, for all who
    /// ask meanwhile; at most ten a second per connection. Nothing is spent on it before the first
    /// receipt is asked for.
    ///
    /// It resolves to an error, [`ReceiptError::Gone`], if the connection ends first, which a client
    /// that is silent does within `ping_timeout`; and to [`ReceiptError::Unsupported`], at once, for
    /// clients 1.x and 2.x, which answer no ping.
    ///
    /// ```
    /// # async fn example(socket: socketio::Socket) -> Result<(), socketio::BoxError> {
    /// socket.emit("order", 17)?;
    /// let receipt = socket.receipt();
    /// // other work
    /// if !receipt.is_done() {
    ///     receipt.await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn receipt(&self) -> Receipt {
        self.conn().receipt()
    }

    /// Waits until the client has taken all that was sent to it before this is first polled, see
    /// [`Socket::receipt`]. Cancel safe.
    ///
    /// What it gives is how many events were [dropped](Received::dropped) for the client's queue was
    /// full, from its last receipt on.
    ///
    /// ```
    /// # async fn example(socket: socketio::Socket) -> Result<(), socketio::BoxError> {
    /// socket.emit("order", 17)?;
    /// socket.received().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ReceiptError::Gone`] if the connection ends first: it is not known what the client has
    /// taken. [`ReceiptError::Unsupported`] for clients 1.x and 2.x, at once.
    pub async fn received(&self) -> Result<Received, ReceiptError> {
        self.conn().received().await
    }
}
