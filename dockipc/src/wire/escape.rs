//! Escapes text inside a row, so that it can't end its column or its row.

/// Appends text with its tabs, newlines, carriage returns and backslashes as `\t`, `\n`, `\r` and `\\`.
/// `printf %b` reads them back. `PostgreSQL`'s `COPY` uses the same escapes.
pub(crate) fn escape_into(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'\t' | b'\n' | b'\r' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        let letter = match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            _ => b'\\',
        };
        out.extend_from_slice(&[b'\\', letter]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Returns the text of an escaped column. None if a backslash is followed by anything else.
pub(crate) fn unescape(column: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(column.len());
    let mut bytes = column.iter();
    while let Some(&byte) = bytes.next() {
        text.push(if byte == b'\\' {
            match bytes.next()? {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            }
        } else {
            byte
        });
    }
    Some(text)
}
