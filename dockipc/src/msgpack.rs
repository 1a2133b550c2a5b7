//! [`MsgPack`], a value that is sent as `MessagePack`.

use std::ops::{Deref, DerefMut};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::arg::{Arg, BadValue};
use crate::error::{Error, Failure};
use crate::reply::{FromReply, IntoReply, Reply, ReplyType};

/// A value that is sent as the bytes of `MessagePack`, as a parameter or as an answer, through serde.
///
/// ```standalone_crate
/// use dockipc::{MsgPack, command};
///
/// #[command]
/// fn sum(points: MsgPack<Vec<(i32, i32)>>) -> MsgPack<(i32, i32)> {
///     MsgPack(points.iter().fold((0, 0), |sum, point| (sum.0 + point.0, sum.1 + point.1)))
/// }
///
/// let daemon = dockipc::Server::new().spawn_in_process()?;
/// let client = daemon.client();
/// let call = client.command("sum").arg(MsgPack(vec![(1, 2), (3, 4)]));
/// assert_eq!(call.call::<MsgPack<(i32, i32)>>()?.0, (4, 6));
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// A struct is a map of its fields, so that another version can have more of them; one that was sent as an array is
/// read, too. The bytes are one word of a command and one bulk string of an answer, so they are for clients that speak
/// RESP: a line is text.
///
/// A value is read up to 128 levels deep, as JSON text is: a client can't exhaust the stack of a daemon.
///
/// A value that serde can't write is answered as an error. As an argument of a call it is sent as the text of that
/// error, which the daemon refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgPack<T>(pub T);

/// The most levels of a value, as of JSON text: each takes a part of the thread's stack, also when the value is answered.
const DEEPEST: usize = 128;

fn read<'r, T: Deserialize<'r>>(bytes: &'r [u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEEPEST);
    T::deserialize(&mut deserializer)
}

impl<'r, T: Deserialize<'r>> Arg<'r> for MsgPack<T> {
    const TYPE: &'static str = "msgpack";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        read(word).map(Self).map_err(BadValue::new)
    }
}

impl<T: Serialize> IntoReply for MsgPack<T> {
    const REPLY_TYPE: &'static ReplyType = &ReplyType::Form(&ReplyType::Bytes, "msgpack");

    fn into_reply(self) -> Reply {
        match rmp_serde::to_vec_named(&self.0) {
            Ok(bytes) => Reply::Bytes(bytes),
            Err(error) => {
                let why = format!("cannot write the answer as MessagePack: {error}");
                Reply::Error(Failure::from(why))
            }
        }
    }
}

impl<T: DeserializeOwned> FromReply for MsgPack<T> {
    fn from_reply(reply: Reply) -> Result<Self, Error> {
        let bytes = Vec::<u8>::from_reply(reply)?;
        read(&bytes).map(Self).map_err(|error| {
            let got = format!("{} ({error})", Reply::Bytes(bytes).describe());
            Error::Mismatch { wanted: "MessagePack of this type", got }
        })
    }
}

impl<T> From<T> for MsgPack<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for MsgPack<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for MsgPack<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
