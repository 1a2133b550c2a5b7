//! The queue of bytes to be sent, with sends of any size.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire::Outgoing;
use crate::wire::outgoing::LONG;

#[derive(Clone, Debug)]
enum Act {
    Copy(Vec<u8>),
    Push(Vec<u8>),
    Append(Vec<u8>, Vec<u8>, usize),
    Seal,
    Clear,
    /// The number of bytes that are offered to the socket, and how many it takes.
    Send(usize, usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let some = || vec(any::<u8>(), 0..30);
    let size = || prop_oneof![0..40_usize, Just(usize::MAX)];
    let act = prop_oneof![
        3 => some().prop_map(Act::Copy),
        3 => some().prop_map(Act::Push),
        1 => (some(), some(), size()).prop_map(|(a, b, n)| Act::Append(a, b, n)),
        1 => Just(Act::Seal),
        1 => Just(Act::Clear),
        6 => (size(), size()).prop_map(|(most, takes)| Act::Send(most, takes)),
    ];
    // More parts than are sent at a time.
    vec(act, 0..120)
}

/// Sends as the engine does. Returns what the socket took.
fn send(queue: &mut Outgoing, most: usize, takes: usize) -> Vec<u8> {
    let mut taken = match queue.single() {
        Some(bytes) => bytes[..bytes.len().min(most)].to_vec(),
        None => queue.with_first(most, |pieces| {
            assert!(pieces.iter().all(|piece| !piece.is_empty()));
            pieces.iter().flat_map(|piece| piece.iter().copied()).collect()
        }),
    };
    assert!(most == 0 || taken.is_empty() == queue.is_empty(), "nothing is offered");
    assert!(taken.len() <= most);
    taken.truncate(takes);
    queue.advance(taken.len());
    taken
}

proptest! {
    #[test]
    fn queue_sends_each_byte_once_and_in_order(acts in acts()) {
        let (mut queue, mut model) = (Outgoing::default(), Vec::new());
        for act in acts {
            match act {
                Act::Copy(bytes) => {
                    queue.tail().extend_from_slice(&bytes);
                    model.extend(bytes);
                }
                Act::Push(bytes) => {
                    queue.push(bytes.clone());
                    model.extend(bytes);
                }
                Act::Append(a, b, sent) => {
                    let mut other = Outgoing::default();
                    other.push(a.clone());
                    other.tail().extend_from_slice(&b);
                    let sent = send(&mut other, sent, usize::MAX).len();
                    queue.append(&mut other);
                    prop_assert!(other.is_empty());
                    model.extend([a, b].concat().split_off(sent));
                }
                Act::Seal => queue.seal(),
                Act::Clear => {
                    queue.clear();
                    model.clear();
                }
                Act::Send(most, takes) => {
                    let taken = send(&mut queue, most, takes);
                    let rest = model.split_off(taken.len());
                    prop_assert_eq!(taken, std::mem::replace(&mut model, rest));
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert!(queue.held() >= queue.len());
            prop_assert_eq!(queue.to_vec(), &model[..]);
        }
        queue.advance(model.len());
        prop_assert_eq!(queue.held(), 0);
    }
}

#[test]
fn long_bytes_are_not_copied() {
    let bytes = vec![b'x'; LONG];
    let place = bytes.as_ptr();
    let mut queue = Outgoing::default();
    let list = crate::Reply::List(vec![crate::Reply::Ok, crate::Reply::Bytes(bytes)]);
    crate::wire::encode::reply(list, crate::wire::Protocol::Resp3, &mut queue);
    let is_there = queue.with_first(usize::MAX, |pieces| pieces[1].as_ptr() == place);
    assert!(is_there);
    let whole = [b"*2\r\n+OK\r\n$16384\r\n", &[b'x'; LONG][..], b"\r\n"].concat();
    assert!(queue.to_vec() == whole);
}

#[test]
fn room_beyond_the_bytes_is_returned() {
    let mut bytes = Vec::with_capacity(100 * LONG);
    bytes.extend_from_slice(&[b'x'; LONG]);
    let mut queue = Outgoing::default();
    queue.push(bytes);
    assert!(queue.memory() < 2 * LONG, "{} bytes", queue.memory());
}
