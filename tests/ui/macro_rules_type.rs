//! A mistake in a type that a declarative macro was given.

use dockipc::command;

macro_rules! answers {
    ($name:ident, $param:ty, $answer:ty) => {
        #[command]
        fn $name(_value: $param) -> $answer {
            loop {}
        }
    };
}

answers!(first, &'static str, ());
answers!(second, &mut u8, ());
answers!(third, u8, !);
answers!(fourth, (&mut u8), ());

fn main() {
    first("");
}
