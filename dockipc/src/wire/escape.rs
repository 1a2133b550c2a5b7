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
