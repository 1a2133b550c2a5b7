//! Types that are a parameter, an answer, an argument of the client and the type of its result.

use std::ffi::OsString;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZeroI8, NonZeroI128, NonZeroU64, NonZeroU128};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dockipc::client::ToArg;
use dockipc::{Client, FromReply, Server, command};

/// Sends a value to a command that returns its parameter.
fn assert_same<T: ToArg + FromReply + PartialEq + Debug>(client: &Client, name: &str, value: &T) {
    let answer: T = client.command(name).arg(value).call().unwrap();
    assert_eq!(answer, *value, "{name}");
}

macro_rules! same {
    ($($name:ident: $ty:ty = $value:expr;)*) => {
        $(
            #[command]
            fn $name(value: $ty) -> $ty {
                value
            }
        )*

        #[test]
        fn value_of_each_type_comes_back_unchanged() {
            let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
            let client = daemon.client();
            $(assert_same::<$ty>(&client, &stringify!($name).replace('_', "-"), &$value);)*
        }
    };
}

same! {
    same_u8: u8 = 255;
    same_i128: i128 = i128::MIN;
    same_nonzero: NonZeroU64 = NonZeroU64::MAX;
    same_nonzero_small: NonZeroI8 = NonZeroI8::MIN;
    same_nonzero_big: NonZeroU128 = NonZeroU128::MAX;
    same_nonzero_low: NonZeroI128 = NonZeroI128::MIN;
    same_f64: f64 = 0.1;
    same_bool: bool = true;
    same_char: char = 'ß';
    same_string: String = "a b".to_owned();
    same_bytes: Vec<u8> = (0..=255).collect();
    same_path: PathBuf = "/a b".into();
    same_os_string: OsString = "a b".into();
    same_none: Option<Duration> = None;
    same_duration: Duration = Duration::new(3, 1);
    same_longest: Duration = Duration::MAX;
    same_time: SystemTime = UNIX_EPOCH + Duration::new(951_782_399, 1);
    same_early_time: SystemTime = UNIX_EPOCH - Duration::new(1, 1);
    same_ip: IpAddr = Ipv4Addr::LOCALHOST.into();
    same_ip4: Ipv4Addr = Ipv4Addr::BROADCAST;
    same_ip6: Ipv6Addr = Ipv6Addr::LOCALHOST;
    same_socket: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 80));
    same_socket4: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
    same_socket6: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 0, 0);
}
