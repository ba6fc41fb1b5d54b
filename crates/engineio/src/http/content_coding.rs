//! Content codings of HTTP answers: gzip or deflate, by `Accept-Encoding`.
//!
//! A compressor is 380 KiB, so an answer to a poll takes that of the worker thread, as in `scratch`.
//! Only one that has come to the end of its stream is put back: zlib-rs 0.6.8, when it is reset,
//! does not forget all of the output that it held back.

use std::cell::Cell;
use std::thread::LocalKey;

use flate2::{Compress, Compression, FlushCompress, Status};
use http::header::{self, HeaderMap};

/// A content coding of HTTP answers.
///
/// The engine compresses the answers to polls by itself, see
/// [`Options::http_compression`](crate::Options::http_compression). This is for those who answer
/// other requests, as an [`Intercept`](crate::Intercept) does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentCoding {
    /// `gzip`.
    Gzip,
    /// `deflate`: the zlib form, as RFC 9110 8.4.1.2 says.
    Deflate,
}

impl ContentCoding {
    /// The coding that the `Accept-Encoding` of a request prefers, gzip of two equals; `None` if it
    /// names neither.
    // RFC 9110 12.5.3
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Option<Self> {
        let (gzip, deflate) = (Self::Gzip.weight(headers), Self::Deflate.weight(headers));
        match () {
            () if gzip > 0.0 && gzip >= deflate => Some(Self::Gzip),
            () if deflate > 0.0 => Some(Self::Deflate),
            () => None,
        }
    }

    /// Whether the `Accept-Encoding` of a request names this coding.
    #[must_use]
    pub fn is_accepted(self, headers: &HeaderMap) -> bool {
        self.weight(headers) > 0.0
    }

    /// Its name, for `Content-Encoding`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// Compresses what is then kept and sent often. `level` is how hard: 1 (fast) to 9 (small); one
    /// beyond is the nearest of them. It takes its time, some 10 ms per megabyte or more.
    #[must_use]
    pub fn compress(self, body: &[u8], level: u8) -> Vec<u8> {
        self.run(&mut self.compressor(level), body)
    }

    /// Compresses an answer that is sent once, with the compressor of the worker thread.
    #[inline(never)]
    pub(crate) fn compress_once(self, body: &[u8]) -> Vec<u8> {
        let pool = self.pool();
        let mut compressor = pool.take().unwrap_or_else(|| Box::new(self.compressor(LEVEL)));
        let out = self.run(&mut compressor, body);
        compressor.reset();
        pool.set(Some(compressor));
        out
    }

    fn weight(self, headers: &HeaderMap) -> f32 {
        let values = headers.get_all(header::ACCEPT_ENCODING).iter();
        let mut items = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        let weight = items.find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(self.as_str()) {
                return None;
            }
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            Some(weight.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
        });
        weight.unwrap_or(0.0)
    }

    fn compressor(self, level: u8) -> Compress {
        let level = Compression::new(level.clamp(1, 9).into());
        match self {
            Self::Gzip => Compress::new_gzip(level, WINDOW_BITS),
            Self::Deflate => Compress::new(level, true),
        }
    }

    fn pool(self) -> &'static LocalKey<Cell<Option<Box<Compress>>>> {
        match self {
            Self::Gzip => &GZIP,
            Self::Deflate => &DEFLATE,
        }
    }

    /// A whole stream.
    fn run(self, compressor: &mut Compress, mut body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() / 4 + 64);
        loop {
            let consumed = compressor.total_in();
            let status = compressor.compress_vec(body, &mut out, FlushCompress::Finish);
            match status.expect("a stream that has not ended takes input") {
                Status::StreamEnd => return out,
                Status::Ok | Status::BufError => {}
            }
            body = &body[(compressor.total_in() - consumed) as usize..];
            out.reserve(out.len());
        }
    }
}

thread_local! {
    static GZIP: Cell<Option<Box<Compress>>> = const { Cell::new(None) };
    static DEFLATE: Cell<Option<Box<Compress>>> = const { Cell::new(None) };
}

/// Of an answer to a poll: fast, as the time is the session's. On short texts level 1 saves little
/// time and gives much larger answers, and those above 2 take more for answers hardly smaller.
const LEVEL: u8 = 2;

/// The largest window, 32 KiB.
const WINDOW_BITS: u8 = 15;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(values: &[&'static str], expected: Option<ContentCoding>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        assert_eq!(ContentCoding::preferred(&headers), expected, "{values:?}");
        let is_accepted = expected.is_none_or(|coding| coding.is_accepted(&headers));
        assert!(is_accepted, "{values:?}");
    }

    #[test]
    fn codings_are_negotiated() {
        check(&["gzip, deflate"], Some(ContentCoding::Gzip));
        check(&["deflate"], Some(ContentCoding::Deflate));
        check(&["GZIP;q=0.5, deflate;q=0.8"], Some(ContentCoding::Deflate));
        check(&["br", "gzip"], Some(ContentCoding::Gzip));
        check(&["gzip;q=0"], None);
        check(&["br"], None);
        check(&[""], None);
        check(&[], None);
        check(&["identity, xgzip"], None);
    }

    #[track_caller]
    fn read(coding: ContentCoding, compressed: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        // they check the sums, and fail at an end that is cut off
        match coding {
            ContentCoding::Gzip => flate2::read::GzDecoder::new(compressed).read_to_end(&mut body),
            ContentCoding::Deflate => {
                flate2::read::ZlibDecoder::new(compressed).read_to_end(&mut body)
            }
        }
        .unwrap();
        body
    }

    /// Pseudo-random bytes: no compression makes them smaller.
    fn noise(len: usize) -> Vec<u8> {
        std::iter::successors(Some(1u32), |seed| {
            Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
        })
        .map(|seed| (seed >> 24) as u8)
        .take(len)
        .collect()
    }

    #[test]
    fn what_is_compressed_can_be_read() {
        let text = "a".repeat(2000);
        for coding in [ContentCoding::Gzip, ContentCoding::Deflate] {
            for level in [0, 1, 6, 9, 10] {
                let compressed = coding.compress(text.as_bytes(), level);
                assert!(compressed.len() < 100);
                assert_eq!(read(coding, &compressed), text.as_bytes());
            }
            assert_eq!(read(coding, &coding.compress_once(b"")), b"");
        }
    }

    /// A compressor that is used again gives what a new one does, also after answers that needed
    /// more room than was thought.
    #[test]
    fn answers_are_independent() {
        let noise = noise(300_000);
        let text = "socket.io ".repeat(400);
        for coding in [ContentCoding::Gzip, ContentCoding::Deflate] {
            let expected = coding.compress(text.as_bytes(), LEVEL);
            for len in [0, 1, 100, 1_000, 4_096, 65_536, 131_072, 300_000] {
                let compressed = coding.compress_once(&noise[..len]);
                assert_eq!(read(coding, &compressed), &noise[..len]);
                assert_eq!(coding.compress_once(text.as_bytes()), expected, "after {len}");
            }
            assert!(coding.pool().take().is_some(), "it is kept");
        }
    }
}
