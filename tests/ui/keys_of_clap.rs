//! Keys of clap and serde, each with what to write instead.

use dockipc::command;

#[command(about = "Adds.", long_about = "Adds two.", rename = "plus", visible_alias = "p", hide)]
fn add(
    #[arg(alias = "x", action)] a: u64,
    #[arg(help = "The second.")] b: u64,
    #[arg(value_name = "N")] c: u64,
    #[arg(default_value = "1")] d: u64,
    #[arg(default_value_t = 1)] e: u64,
    #[arg(trailing_var_arg = true)] f: u64,
    #[arg(rename = "gee")] g: u64,
    #[arg(required = true)] h: u64,
    #[arg(num_args = 1)] i: Vec<u64>,
) {
    let _ = (a, b, c, d, e, f, g, h, i);
}

fn main() {
    add(1, 1, 1, 1, 1, 1, 1, 1, vec![]);
}
