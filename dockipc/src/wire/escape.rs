//! Text in a row.

/// Appends a text so that it stays one column of one row: tab, newline, carriage return and
/// backslash become `\t`, `\n`, `\r` and `\\`, as in `PostgreSQL`'s COPY.
pub(crate) fn escape_into(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\t' => out.extend_from_slice(br"\t"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\\' => out.extend_from_slice(br"\\"),
            _ => out.push(byte),
        }
    }
}
