//! Compression of poll answers: gzip or deflate, by `Accept-Encoding`.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// A content coding that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    /// The zlib form, as RFC 9110 8.4.1.2 says.
    Deflate,
}

impl Coding {
    /// The preferred coding of an `Accept-Encoding` header; `None` if it names neither.
    // RFC 9110 12.5.3
    pub(crate) fn from_accept(header: &str) -> Option<Self> {
        let weight = |coding: &str| {
            header.split(',').find_map(|item| {
                let mut parts = item.split(';').map(str::trim);
                if !parts.next()?.eq_ignore_ascii_case(coding) {
                    return None;
                }
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                Some(weight.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
            })
        };
        let (gzip, deflate) = (weight("gzip").unwrap_or(0.0), weight("deflate").unwrap_or(0.0));
        match () {
            () if gzip > 0.0 && gzip >= deflate => Some(Self::Gzip),
            () if deflate > 0.0 => Some(Self::Deflate),
            () => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    #[inline(never)]
    pub(crate) fn compress(self, body: &[u8]) -> Vec<u8> {
        let out = Vec::with_capacity(body.len() / 4 + 64);
        // fast, as the time is the session's; on short texts level 1 saves little time and gives much
        // larger answers, and those above 2 take more for answers hardly smaller
        let level = Compression::new(2);
        let result = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        result.expect("writing to a vector does not fail")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<Coding>) {
        assert_eq!(Coding::from_accept(header), expected, "{header}");
    }

    #[test]
    fn codings_are_negotiated() {
        check("gzip, deflate", Some(Coding::Gzip));
        check("deflate", Some(Coding::Deflate));
        check("GZIP;q=0.5, deflate;q=0.8", Some(Coding::Deflate));
        check("gzip;q=0", None);
        check("br", None);
        check("", None);
        check("identity, xgzip", None);
    }

    #[test]
    fn what_is_compressed_can_be_read() {
        use std::io::Read;
        let body = "a".repeat(2000);
        let (gzip, zlib) =
            (Coding::Gzip.compress(body.as_bytes()), Coding::Deflate.compress(body.as_bytes()));
        assert!(gzip.len() < 100 && zlib.len() < 100);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, body);
        text.clear();
        flate2::read::ZlibDecoder::new(&zlib[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, body);
    }
}
