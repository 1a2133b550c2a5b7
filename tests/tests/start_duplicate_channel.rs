//! Two channels of one name: no server of this program starts.

#[path = "../start"]
mod start {
    mod duplicate_channel;
}
