//! The form in which a server's packets are written.

use std::fmt;

use crate::custom::Shared;

#[derive(Clone, Default)]
pub(crate) enum Form {
    /// The protocols' own.
    #[default]
    Json,
    #[cfg(feature = "msgpack")]
    Msgpack,
    Custom(Shared),
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "Parser::json",
            #[cfg(feature = "msgpack")]
            Self::Msgpack => "Parser::msgpack",
            Self::Custom(_) => "Parser::custom",
        })
    }
}
