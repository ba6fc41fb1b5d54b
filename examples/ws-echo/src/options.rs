//! What the command line says.

use engineio_proto::websocket::extensions::Takeover;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where to listen; 0 is any free port.
    pub(crate) port: u16,
    /// The largest message in bytes, compressed and inflated.
    pub(crate) max_message: usize,
    /// Whether to agree on compression, and on contexts that last from message to message.
    pub(crate) deflate: Option<Takeover>,
}

impl Options {
    /// # Errors
    /// The sentence for somebody who wrote something else.
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { port: 3000, max_message: 1024 * 1024, deflate: None };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--port" => options.port = number(arguments.next())?,
                "--max-message" => options.max_message = number(arguments.next())?,
                "--deflate" => {
                    options.deflate.get_or_insert_default();
                }
                "--context-takeover" => {
                    options.deflate = Some(Takeover { server: true, client: true });
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(argument: Option<String>) -> Result<T, String> {
    argument.and_then(|argument| argument.parse().ok()).ok_or_else(|| USAGE.to_owned())
}

const USAGE: &str = "usage: ws-echo [--port N] [--max-message BYTES] [--deflate] \
                     [--context-takeover]";
