//! Why options are refused.

use std::fmt;

/// An option that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// A path that is none.
    Path(String),
    /// An origin pattern that is none.
    Origin(String),
    /// A subprotocol that is no token.
    Subprotocol(String),
    /// A cookie whose name or attributes cannot stand in a header.
    Cookie(String),
    /// A trusted proxy that is neither an address nor a network.
    TrustedProxies(String),
    /// A value that is well formed, but that no client will ever match or keep.
    Unusable {
        /// The option.
        option: &'static str,
        /// What is said there.
        value: String,
        /// Why it is of no use.
        why: &'static str,
    },
    /// A level of compression that is not 1 to 9.
    DeflateLevel(u8),
    /// A length of networks that is more than 128.
    Ipv6Prefix(u8),
    /// An option that must not be zero or empty.
    Zero(&'static str),
    /// A time of more than a year.
    TooLong(&'static str),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                write!(f, "option path: {path:?} must begin with a slash and have no query")
            }
            Self::Origin(pattern) => write!(
                f,
                "option origins: {pattern:?} is no pattern; host:port, host:*, *:port and *:* are, \
                 with or without http:// or https:// in front"
            ),
            Self::Cookie(name) => write!(f, "option cookie: {name:?} cannot be set as a cookie"),
            Self::Subprotocol(name) => {
                write!(f, "option subprotocols: {name:?} cannot be the name of a subprotocol")
            }
            Self::TrustedProxies(text) => write!(
                f,
                "option trusted_proxies: {text:?} is neither an address nor a network such as \
                 10.0.0.0/8"
            ),
            Self::Unusable { option, value, why } => write!(f, "option {option}: {value:?}: {why}"),
            Self::DeflateLevel(level) => {
                write!(f, "option per_message_deflate: level {level} is not one of 1 to 9")
            }
            Self::Ipv6Prefix(bits) => {
                write!(f, "option ipv6_prefix: {bits} is more than the 128 bits of an address")
            }
            Self::Zero(name) => write!(f, "option {name} must not be zero or empty"),
            Self::TooLong(name) => write!(f, "option {name} must be at most a year"),
        }
    }
}

impl std::error::Error for OptionsError {}
