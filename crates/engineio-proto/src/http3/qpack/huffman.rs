//! The code for texts in header sections. It is canonical: the codes of one length are numbers that
//! follow each other, in the order of their symbols, so that the lengths are all that has to be known.
// RFC 7541 5.2, appendix B

/// A text, or `None` if it is no code. It ends one byte behind `max`.
pub(super) fn decode(input: &[u8], max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(input.len().min(max) * 8 / 5 + 1);
    // bits that are no symbol yet
    let (mut code, mut length) = (0_u32, 0_usize);
    for byte in input {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(byte >> bit & 1);
            length += 1;
            let of_length = CODES.first.get(length)?;
            let place = code.wrapping_sub(*of_length);
            if place < u32::from(CODES.count[length]) {
                // the last symbol is the end, which no text has
                let symbol = CODES.symbols[usize::from(CODES.start[length]) + place as usize];
                out.push(u8::try_from(symbol).ok()?);
                (code, length) = (0, 0);
                if out.len() > max {
                    return Some(out);
                }
            }
        }
    }
    // the rest is filled up with the beginning of the end's code: ones
    (length < 8 && code == (1 << length) - 1).then_some(out)
}

struct Codes {
    /// By length: the first code, how many there are, and where their symbols begin.
    first: [u32; LONGEST + 1],
    count: [u16; LONGEST + 1],
    start: [u16; LONGEST + 1],
    symbols: [u16; SYMBOLS],
}

const SYMBOLS: usize = 257;
const LONGEST: usize = 30;

static CODES: Codes = codes();

const fn codes() -> Codes {
    let mut codes = Codes {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        start: [0; LONGEST + 1],
        symbols: [0; SYMBOLS],
    };
    let (mut next, mut placed) = (0_u32, 0_u16);
    let mut length = 1;
    while length <= LONGEST {
        next <<= 1;
        codes.first[length] = next;
        codes.start[length] = placed;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                codes.symbols[placed as usize] = symbol as u16;
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        codes.count[length] = placed - codes.start[length];
        length += 1;
    }
    codes
}

/// Bits of the code of each byte, and of the end.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
