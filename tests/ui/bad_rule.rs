//! Invalid rules in `allow`.

use dockipc::command;

#[command(allow = "uid:root | gruop:adm | owner")]
fn kind() {}

#[command(allow = "uid:")]
fn empty() {}

#[command(allow = "group:wheel & owner")]
fn joined() {}

#[command(allow = "uid:99999999999")]
fn number() {}

#[command(allow = r#"group:"domain users | owner"#)]
fn quote() {}

#[command(allow)]
fn without() {}

#[command(allow = root)]
fn no_text() {}

#[command(allow = "owner", allow = "uid:0")]
fn twice() {}

#[command(allow = "group:adm &")]
fn dangling() {}

#[command(allow = "uid:root | group:domain users")]
fn spaces() {}

#[command(allow = "owner token")]
fn blank() {}

fn main() {}
