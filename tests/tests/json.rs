//! Values as JSON and as `MessagePack`, and answers of any command as JSON.

#[path = "../json"]
mod json {
    mod format;
    mod values;
}
