//! The hub's state against a model: many random steps of events, turns, timers and ends.
//!
//! The threads of a server change the hub only with its lock held, one step after another: so
//! steps in random order, in one thread, are all that can happen to it.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;

use super::*;
use crate::access::SocketId;
use crate::server::Server;
use crate::sys::NotForked;

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

/// Where a connection is.
enum Place {
    /// In the hub.
    Hub,
    /// A thread serves it.
    Turn(Box<Conn>),
}

/// The invariants of one connection.
struct Model {
    index: usize,
    place: Place,
    /// Events since it was last told.
    unseen: Readiness,
    /// Deadlines that were set and have not passed.
    deadline: Option<Instant>,
    is_handed_over: bool,
    is_apart: bool,
}

struct World {
    service: Arc<Service>,
    hub: Hub,
    connections: HashMap<Token, Model>,
    /// Connections that have ended.
    gone: Vec<Token>,
}

impl World {
    fn new() -> Self {
        let service = Server::new().service().unwrap();
        let hub = Hub::new(Phase::Open);
        Self { service, hub, connections: HashMap::new(), gone: Vec::new() }
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(10) {
            0 if self.connections.len() < 12 => self.add(),
            1 | 2 => self.note(dice),
            3 => {
                self.hub.ready.polled();
                self.timers();
            }
            4 | 5 => {
                if let Some((index, _)) = self.hub.ready.pop(dice.below(4) > 0) {
                    self.take(index);
                }
            }
            6 => {
                let next = self.hub.handed_over.pop_front();
                if let Some(index) = next {
                    self.take(index);
                }
            }
            7 => {
                if let Some(index) = self.hub.apart.pop_front() {
                    self.take(index);
                }
                if dice.below(4) == 0 {
                    self.hub.recall_apart();
                    self.connections.values_mut().for_each(|model| model.is_apart = false);
                }
            }
            _ => self.end_turn(dice),
        }
        self.check();
    }

    fn token(&self, index: usize) -> Token {
        self.hub.token(index)
    }

    fn add(&mut self) {
        let (socket, _) = UnixStream::pair().unwrap();
        let peer = Peer::of(&socket).unwrap();
        let arrival = Arrival {
            socket: NotForked::new(socket.into()),
            peer: Some(peer),
            entrance: SocketId::FIRST,
        };
        assert!(self.hub.add(&self.service, arrival).is_ok());
        let index = self.hub.ready.all().last().unwrap();
        let token = self.token(index);
        let model = Model {
            index,
            place: Place::Hub,
            unseen: Readiness::READABLE,
            deadline: None,
            is_handed_over: false,
            is_apart: false,
        };
        let twice = self.connections.insert(token, model).is_some() || self.gone.contains(&token);
        assert!(!twice, "two connections of one number");
    }

    /// An event of a connection, or one that comes late, of a connection that is gone.
    fn note(&mut self, dice: &mut Dice) {
        let mut known: Vec<_> = self.connections.keys().copied().collect();
        known.sort_unstable_by_key(|token| token.to_data());
        known.extend(self.gone.iter().rev().take(4));
        if known.is_empty() {
            return;
        }
        let token = known[dice.below(known.len())];
        let flags = [EventFlags::IN, EventFlags::OUT, EventFlags::IN | EventFlags::RDHUP];
        let which = dice.below(3);
        self.hub.note(token, flags[which]);
        if let Some(model) = self.connections.get_mut(&token) {
            model.unseen |= Readiness::of(flags[which]);
        }
    }

    fn timers(&mut self) {
        let before = Instant::now();
        self.hub.fire_timers(Instant::now());
        for model in self.connections.values_mut() {
            // Deadlines are long past or far away.
            if model.deadline.is_some_and(|at| at <= before) {
                model.deadline = None;
                model.unseen |= Readiness::EXPIRED;
                // Who waits for a thread is told by the leader.
                model.is_handed_over = false;
            }
        }
    }

    fn take(&mut self, index: usize) {
        let token = self.token(index);
        let (conn, seen) = self.hub.take(index).expect("a queue has only connections that wait");
        let model = self.connections.get_mut(&token).unwrap();
        assert_eq!(seen, std::mem::take(&mut model.unseen), "everything is told, and once");
        model.place = Place::Turn(conn);
        (model.is_handed_over, model.is_apart) = (false, false);
    }

    /// Takes the steps of a thread after a turn.
    fn end_turn(&mut self, dice: &mut Dice) {
        let mut served: Vec<_> = self.connections.iter_mut().collect();
        served.retain(|(_, model)| matches!(model.place, Place::Turn(_)));
        served.sort_unstable_by_key(|(token, _)| token.to_data());
        if served.is_empty() {
            return;
        }
        let chosen = dice.below(served.len());
        let (&token, model) = served.swap_remove(chosen);
        let index = model.index;
        let Place::Turn(conn) = std::mem::replace(&mut model.place, Place::Hub) else { return };
        match dice.below(7) {
            0 => {
                self.hub.free(index, conn.cost);
                self.connections.remove(&token);
                self.gone.push(token);
            }
            1 => {
                self.hub.hand_over(index, conn);
                model.is_handed_over = true;
            }
            2 => {
                self.hub.set_apart(index, conn);
                model.unseen |= Readiness::READABLE;
                model.is_apart = true;
            }
            what => {
                let more = what == 3;
                let told = self.hub.resume(index, more);
                let unseen = model.unseen;
                assert_eq!(told, (more || unseen != Readiness::NONE).then_some(unseen));
                if told.is_some() && dice.below(2) == 0 {
                    // The thread doesn't lead, and goes on with what it was told.
                    model.unseen = Readiness::NONE;
                    model.place = Place::Turn(conn);
                    return;
                }
                if let Some(unseen) = told {
                    self.hub.requeue(index, conn, unseen);
                } else {
                    if let Some(conn) = self.hub.put_waiting(index, conn) {
                        self.hub.put(index, conn);
                    }
                    let now = Instant::now();
                    let at = match dice.below(3) {
                        0 => None,
                        1 => Some(now.checked_sub(Duration::from_millis(1)).unwrap()),
                        _ => Some(now + Duration::from_secs(3600)),
                    };
                    self.hub.set_timer(index, at);
                    // The earlier one stands.
                    model.deadline = model.deadline.into_iter().chain(at).min();
                }
            }
        }
    }

    /// A connection is in one place, and in the queue if there is something to tell it.
    fn check(&self) {
        let free =
            self.hub.slots.iter().filter(|slot| matches!(slot.occupant, Occupant::None)).count();
        assert_eq!(free, self.hub.free.len());
        assert_eq!(free + self.connections.len(), self.hub.slots.len());
        for (token, model) in &self.connections {
            let slot = &self.hub.slots[model.index];
            assert_eq!(self.token(model.index), *token);
            assert_eq!(slot.unseen, model.unseen);
            let is_it = |index: &usize| *index == model.index;
            let count = |queue: &VecDeque<usize>| queue.iter().copied().filter(is_it).count();
            let places = [
                self.hub.ready.all().filter(is_it).count(),
                count(&self.hub.handed_over),
                count(&self.hub.apart),
            ];
            match model.place {
                Place::Turn(_) => {
                    assert!(matches!(slot.occupant, Occupant::Served));
                    assert_eq!(places, [0; 3]);
                }
                Place::Hub => {
                    assert!(matches!(slot.occupant, Occupant::Idle(_)));
                    let expected = [model.is_handed_over, model.is_apart].map(usize::from);
                    assert_eq!(places[1..], expected);
                    let sum = places.iter().sum::<usize>();
                    assert_eq!(sum, usize::from(slot.queue != Queue::None));
                    assert!(
                        slot.queue != Queue::None || model.unseen == Readiness::NONE,
                        "an event is lost"
                    );
                }
            }
            assert_eq!(slot.timer, model.deadline);
        }
        let ready = self.hub.ready.all().count();
        let elsewhere = self.hub.handed_over.len() + self.hub.apart.len();
        assert_eq!(ready + elsewhere, self.queued());
        if self.hub.ready.has_any(true) {
            assert_eq!(
                self.hub.timeout(true, None),
                Some(Duration::ZERO),
                "who is ready is not kept waiting"
            );
        }
    }

    fn queued(&self) -> usize {
        self.hub.slots.iter().filter(|slot| slot.queue != Queue::None).count()
    }
}

#[test]
fn every_connection_is_in_one_place_and_learns_of_every_event_once() {
    for seed in 1..=200 {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut world = World::new();
        for _ in 0..1000 {
            world.step(&mut dice);
        }
    }
}

#[test]
fn ended_connections_leave_no_timers() {
    let mut world = World::new();
    let far = Instant::now() + Duration::from_secs(3600);
    let begin = |world: &mut World| {
        world.add();
        world.hub.ready.polled();
        let (index, _) = world.hub.ready.pop(true).expect("the new connection");
        let (conn, _) = world.hub.take(index).expect("the new connection");
        world.hub.set_timer(index, Some(far));
        (index, conn)
    };
    let (stays, conn) = begin(&mut world);
    world.hub.put(stays, conn);
    for _ in 0..1_000 {
        let (index, conn) = begin(&mut world);
        world.connections.remove(&world.token(index));
        world.hub.free(index, conn.cost);
    }
    assert!(world.hub.timers.len() < 100, "{}", world.hub.timers.len());
    let of_stays = |Reverse((at, index, _)): &Reverse<_>| (*at, *index) == (far, stays);
    assert_eq!(world.hub.timers.iter().filter(|timer| of_stays(timer)).count(), 1);
}

#[test]
fn quick_command_comes_before_answers_that_are_being_sent() {
    let mut world = World::new();
    let [(sends, mut conn), (asks, other)] = [(); 2].map(|()| {
        world.add();
        world.hub.ready.polled();
        let (index, _) = world.hub.ready.pop(true).expect("the new connection");
        (index, world.hub.take(index).expect("the new connection").0)
    });
    conn.output.get_or_insert_default().push(vec![b'x'; 1 << 20]);
    world.hub.requeue(sends, conn, Readiness::NONE);
    world.hub.requeue(asks, other, Readiness::NONE);
    assert!(world.hub.ready.all().eq([asks, sends]));
}

#[test]
fn few_long_connections_do_not_make_new_ones_long() {
    let mut world = World::new();
    let mut first_cost = |last: Cost| {
        world.add();
        world.hub.ready.polled();
        let (index, _) = world.hub.ready.pop(true).expect("the new connection");
        let expected = world.hub.slots[index].cost;
        // It ends in its first turn.
        world.hub.take(index).expect("the new connection");
        world.connections.remove(&world.token(index));
        world.hub.free(index, last);
        expected
    };
    for _ in 0..ALIKE {
        assert_eq!(first_cost(SENDING), Cost::NEW);
    }
    assert_eq!(first_cost(SENDING), SENDING);
    assert_eq!(first_cost(Cost::default()), SENDING);
    assert_eq!(first_cost(SENDING), Cost::NEW, "one was quick");
    assert_eq!(first_cost(Cost::NEW), Cost::NEW);
}
