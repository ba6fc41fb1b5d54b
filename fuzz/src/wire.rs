//! WebSocket frames, written and read in the plainest way.

/// Appends a frame of a client; the mask of zeros keeps the payload readable.
pub(crate) fn frame(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
}

/// The frames that a server wrote: first byte and payload of each.
pub(crate) fn unframe(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match *second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => {
                let (len, rest) = rest.split_first_chunk().expect("eight bytes of length");
                (usize::try_from(u64::from_be_bytes(*len)).expect("a length"), rest)
            }
            len => (usize::from(len), rest),
        };
        assert!(second & 0x80 == 0, "a server does not mask");
        let (payload, rest) = rest.split_at(len);
        frames.push((*first, payload));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a header");
    frames
}

/// What a server wrote, as if a client had written it.
pub(crate) fn mask(bytes: &[u8]) -> Vec<u8> {
    let mut masked = Vec::new();
    for (first, payload) in unframe(bytes) {
        frame(first, payload, &mut masked);
    }
    masked
}
