use std::fmt::Display;

#[dockipc::client]
trait Hits<T> {
    type Total;

    fn add<N: Display>(&self, n: N) -> dockipc::Result<u64>;

    fn log(&self, text: impl Display) -> dockipc::Result<u64>;
}

fn main() {}
