//! [`Frames`], the decoder of a body that our client sends: `DOCKIPC DATA bytes` any number of times, `DOCKIPC END`.

/// Finds the bytes of a body, however its commands are split. It holds none of them, so that one `DATA` may be of any
/// length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    state: State,
}

/// The part of the input that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The rest of [`DATA`] or [`END`], of which this many bytes have come. The second byte decides.
    Head {
        data: bool,
        at: u8,
    },
    /// The rest of the length of the word, and its line end.
    Length {
        value: u64,
        has_digit: bool,
    },
    LengthEnd {
        value: u64,
    },
    /// This many bytes of the word.
    Word {
        left: u64,
    },
    /// The rest of the line end after the word.
    WordEnd {
        at: u8,
    },
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { data: true, at: 0 }
    }
}

/// The beginning of a command with bytes, up to their length.
const DATA: &[u8] = b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$";

/// The command at the end.
const END: &[u8] = b"*2\r\n$7\r\ndockipc\r\n$3\r\nend\r\n";

/// The longest word. A length beyond that is none.
const LONGEST: u64 = i64::MAX as u64;

/// The result of decoding some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of the input belongs to the commands around the bytes.
    Nothing,
    /// Bytes of the body. The input after them has not been looked at.
    Bytes { start: usize, end: usize },
    /// The body ends at this place of the input.
    End { len: usize },
    /// The input is something else.
    Wrong,
}

impl Frames {
    /// Decodes the first part of the input. The caller shows what follows it next.
    pub(crate) fn next(&mut self, input: &[u8]) -> Part {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            if let State::Word { left } = self.state {
                let here = left.min((input.len() - at) as u64);
                let left = left - here;
                self.state = if left > 0 { State::Word { left } } else { State::WordEnd { at: 0 } };
                if here > 0 {
                    // Not more than the input has.
                    let end = at + usize::try_from(here).unwrap_or_default();
                    return Part::Bytes { start: at, end };
                }
                continue;
            }
            at += 1;
            let Some(state) = self.after(byte) else { return Part::Wrong };
            if state == State::Ended {
                return Part::End { len: at };
            }
            self.state = state;
        }
        Part::Nothing
    }

    /// Returns the state after a byte that is not the body's, or `None` if it is wrong.
    fn after(self, byte: u8) -> Option<State> {
        Some(match self.state {
            State::Head { data, at } => {
                let data = if at == 1 { byte == b'3' } else { data };
                let (head, next) = (if data { DATA } else { END }, usize::from(at) + 1);
                if !head[usize::from(at)].eq_ignore_ascii_case(&byte) {
                    return None;
                }
                match (next == head.len(), data) {
                    (false, _) => State::Head { data, at: at + 1 },
                    (true, true) => State::Length { value: 0, has_digit: false },
                    (true, false) => State::Ended,
                }
            }
            State::Length { value, .. } if byte.is_ascii_digit() => {
                let value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
                State::Length {
                    value: Some(value).filter(|value| *value <= LONGEST)?,
                    has_digit: true,
                }
            }
            State::Length { value, has_digit: true } if byte == b'\r' => State::LengthEnd { value },
            State::LengthEnd { value } if byte == b'\n' => State::Word { left: value },
            State::WordEnd { at: 0 } if byte == b'\r' => State::WordEnd { at: 1 },
            State::WordEnd { at: 1 } if byte == b'\n' => State::default(),
            State::Length { .. }
            | State::LengthEnd { .. }
            | State::WordEnd { .. }
            | State::Word { .. }
            | State::Ended => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(bytes: &[u8]) -> Vec<u8> {
        [
            b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$",
            bytes.len().to_string().as_bytes(),
            b"\r\n",
            bytes,
            b"\r\n",
        ]
        .concat()
    }

    /// Decodes input that comes in two pieces. Returns the body, and what follows its end, if it has ended well.
    fn decode(pieces: [&[u8]; 2]) -> Result<(Vec<u8>, Option<Vec<u8>>), ()> {
        let (mut frames, mut body) = (Frames::default(), Vec::new());
        let mut rest: Option<Vec<u8>> = None;
        for mut piece in pieces {
            if let Some(rest) = &mut rest {
                rest.extend_from_slice(piece);
                continue;
            }
            loop {
                match frames.next(piece) {
                    Part::Nothing => break,
                    Part::Wrong => return Err(()),
                    Part::Bytes { start, end } => {
                        body.extend_from_slice(&piece[start..end]);
                        piece = &piece[end..];
                    }
                    Part::End { len } => {
                        rest = Some(piece[len..].to_vec());
                        break;
                    }
                }
            }
        }
        Ok((body, rest))
    }

    #[test]
    fn body_is_found_however_it_is_split() {
        let long = vec![b'\n'; 300];
        let input = [&data(b"a\r\n*3")[..], &data(b""), &data(&long), END, b"*1\r\n$4\r\nping\r\n"]
            .concat();
        let input = String::from_utf8(input)
            .unwrap()
            .replace("dockipc\r\n$4\r\ndata", "DockIPC\r\n$4\r\nDATA");
        let input = input.as_bytes();
        for at in 0..=input.len() {
            let (body, rest) = decode([&input[..at], &input[at..]]).unwrap();
            assert_eq!(body, [&b"a\r\n*3"[..], &long].concat(), "split at {at}");
            assert_eq!(rest.as_deref(), Some(&b"*1\r\n$4\r\nping\r\n"[..]), "split at {at}");
        }
    }

    #[test]
    fn cut_body_has_no_end() {
        let input = [&data(b"abc")[..], END].concat();
        for at in 0..input.len() {
            let (body, rest) = decode([&input[..at], b""]).unwrap();
            assert!(b"abc".starts_with(&body));
            assert_eq!(rest, None, "cut at {at}");
        }
    }

    #[test]
    fn anything_else_in_between_is_wrong() {
        let wrong: [&[u8]; 10] = [
            b"*1\r\n$4\r\nping\r\n",
            b"ping\n",
            b"\r\n",
            b"*3\r\n$7\r\ndockipc\r\n$4\r\nline\r\n$1\r\nx\r\n",
            b"*2\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n",
            b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$\r\n",
            b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$-1\r\n",
            b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$9223372036854775808\r\n",
            b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$99999999999999999999\r\n",
            b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n$1\r\nxy\r\n",
        ];
        for input in wrong {
            assert_eq!(decode([input, b""]), Err(()), "{}", input.escape_ascii());
        }
    }
}
