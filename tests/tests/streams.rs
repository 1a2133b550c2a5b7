//! Streams: answers of any number of items that leave as they are made.

#[path = "../streams"]
mod streams {
    #[cfg(feature = "tokio")]
    mod async_items;
    mod backpressure;
    mod items;
    mod states;
    mod stopped;
    mod subscribed;
}
