//! Many daemons started at the same time on one path.

use std::cell::RefCell;
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;

use tests::process::{names_in, until};
use tests::program::{self, Program};
use tests::{Place, figure, leave_socket, long};

#[test]
fn one_of_many_concurrent_daemons_serves() {
    let (daemons, rounds) = long((12, 3), (100, 20));
    let mut complaints = 0;
    for round in 0..rounds {
        let place = Place::new();
        let path = place.socket();
        if round % 2 == 1 {
            // Leftovers of a killed daemon and of a killed start.
            leave_socket(&path);
            leave_socket(place.directory().join(".s.sock.new"));
            fs::write(place.directory().join("s.sock.lock"), "1\n").unwrap();
        }
        let starters: Vec<_> = thread::scope(|scope| {
            let start = || Program::begin(Command::new(program::path()).arg(&path), &path);
            let threads: Vec<_> = (0..daemons).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let starters = RefCell::new(starters);
        let running = || {
            starters
                .borrow_mut()
                .iter_mut()
                .filter_map(|daemon| daemon.ended().is_none().then_some(()))
                .count()
        };
        until("the end of all but one", || running() <= 1);
        let (ended, mut serving): (Vec<_>, Vec<_>) = starters
            .into_inner()
            .into_iter()
            .map(|mut daemon| (daemon.ended().is_some(), daemon))
            .partition(|(ended, _)| *ended);
        assert_eq!((serving.len(), ended.len()), (1, daemons - 1), "round {round}");
        let (_, mut winner) = serving.remove(0);
        assert!(winner.answers(), "{}", winner.complaint());
        let peer = UnixStream::connect(&path).unwrap();
        let peer = rustix::net::sockopt::socket_peercred(&peer).unwrap().pid;
        assert_eq!(peer.as_raw_nonzero().get().unsigned_abs(), winner.id());
        let expected = format!(
            "Error: already running: {} is in use by process {}\n",
            path.display(),
            winner.id()
        );
        for (_, mut daemon) in ended {
            assert!(!daemon.wait().success());
            assert_eq!(daemon.complaint(), expected, "round {round}");
            complaints += 1;
        }
        assert_eq!(names_in(place.directory()), ["s.sock", "s.sock.lock"]);
        assert!(winner.stop().success(), "{}", winner.complaint());
        assert_eq!(names_in(place.directory()), ["s.sock.lock"]);
    }
    figure(
        "daemons started at once on one path, rounds; served each time; said who does",
        format_args!("{daemons}, {rounds}; 1; {complaints}"),
    );
}
