//! Tokens: what they say, who makes and checks them, and the user that handlers see.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp,
};
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use socketio::events::{EventContext, ExtractError, FromEvent};
use socketio::{BoxError, ConnectError};

use crate::hs256;

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user's name.
    sub: String,
    /// The end of its validity, in seconds since 1970.
    exp: u64,
}

impl Claims {
    pub(crate) fn new(name: &str, lifetime: Duration) -> Self {
        Self { sub: name.to_owned(), exp: get_current_timestamp() + lifetime.as_secs() }
    }

    #[cfg(test)]
    pub(crate) fn expired(name: &str) -> Self {
        Self { exp: get_current_timestamp() - 60 * 60, ..Self::new(name, Duration::ZERO) }
    }
}

/// Makes and checks tokens with a secret.
#[derive(Clone)]
pub(crate) struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Keys {
    pub(crate) fn new(secret: &[u8]) -> Self {
        hs256::install();
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }

    pub(crate) fn random() -> Result<Self, BoxError> {
        let secret: [u8; 32] = ring::rand::generate(&SystemRandom::new())
            .map_err(|_| "the system has no random numbers")?
            .expose();
        Ok(Self::new(&secret))
    }

    pub(crate) fn issue(&self, claims: &Claims) -> Result<String, Error> {
        encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
    }

    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        // The algorithm is ours to say, not the token's. `exp` must be there, and in the future.
        let validation = Validation::new(Algorithm::HS256);
        match decode(token, &self.decoding, &validation) {
            Ok(token) => Ok(token.claims),
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(Refusal::Expired),
            Err(_) => Err(Refusal::Invalid),
        }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    Missing,
    Invalid,
    Expired,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "a token is needed",
            Self::Invalid => "the token is not valid",
            Self::Expired => "the token has expired",
        })
    }
}

impl From<Refusal> for ConnectError {
    /// The message is for people, the code for programs. Clients 1.x and 2.x see the data only.
    fn from(refusal: Refusal) -> Self {
        #[derive(Serialize)]
        struct Data {
            code: &'static str,
        }

        let code = match refusal {
            Refusal::Missing => "missing",
            Refusal::Invalid => "invalid",
            Refusal::Expired => "expired",
        };
        Self::new(refusal.to_string()).data(&Data { code })
    }
}

/// The name of the user who sent the event: an argument of handlers.
pub(crate) struct User(pub(crate) String);

impl FromEvent for User {
    fn from_event(event: &mut EventContext<'_>) -> Result<Self, ExtractError> {
        let claims = event.socket().extensions().get::<Claims>();
        let user = claims.map(|claims| Self(claims.sub));
        user.ok_or_else(|| ExtractError::new(event, "the middleware was not passed"))
    }
}
