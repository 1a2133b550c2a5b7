//! Codes with other characters than an error answer permits.

use dockipc::Failure;

#[derive(Failure)]
enum Mistake {
    #[code("not found")]
    Missing,
    #[code("")]
    Empty,
    #[code(404)]
    Number,
    #[code(NOTFOUND)]
    Word,
    #[code]
    Nothing,
    #[code = "NOTFOUND"]
    Equals,
    #[code("ONE", "TWO")]
    Two,
    #[code("ONE")]
    #[code("TWO")]
    Twice,
}

fn main() {}
