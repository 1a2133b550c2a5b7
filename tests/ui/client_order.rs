//! Parameters of a client's method whose types do not fit their places.

#[dockipc::client]
trait Hits {
    fn list_in_front(&self, words: &[&str], word: &str) -> dockipc::Result<()>;

    fn rest_in_front(&self, #[arg(rest)] text: &str, word: &str) -> dockipc::Result<()>;

    fn optional_in_front(&self, word: Option<&str>, count: u64) -> dockipc::Result<()>;

    fn rest_of_words(&self, #[arg(rest)] words: &[&str]) -> dockipc::Result<()>;

    fn flag_with_value(&self, #[arg(flag)] count: u64) -> dockipc::Result<()>;
}

fn main() {}
