//! A daemon that keeps the wallpaper of each screen, and its program, which is mounted in the same command line.
//!
//! `cargo run --features cli --example wallpaper -- run`, and then
//! `cargo run --features cli --example wallpaper -- msg image set left FILE.ppm`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Cursor, Read};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::{fmt::Write as _, fs};

use clap::Parser;
use dockipc::ctl::{Program, Words};
use dockipc::{Body, Failure, Reply, Server, State, command};

#[derive(Parser)]
enum Cli {
    /// Run the daemon
    Run,
    /// Talk to the daemon that runs
    Msg(Words),
}

/// The image of a screen.
#[derive(Clone, Reply)]
struct Image {
    screen: String,
    width: u64,
    height: u64,
}

type Images = Mutex<BTreeMap<String, Image>>;

/// Show an image on a screen.
///
/// The image is a file in PPM. The program decodes it, and the daemon gets its pixels.
#[command("image set")]
fn set(images: State<Images>, screen: String, mut image: Body) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    image.read_to_end(&mut bytes)?;
    let size = bytes.get(..8).unwrap_or_default();
    let (width, height) = size.split_at(size.len() / 2);
    let [Ok(width), Ok(height)] = [width, height].map(<[u8; 4]>::try_from) else {
        return Err(Failure::from("the size of the image is missing"));
    };
    let [width, height] = [width, height].map(|bytes| u64::from(u32::from_be_bytes(bytes)));
    if width * height * 3 != bytes.len() as u64 - 8 {
        return Err(Failure::from("the pixels are not those of the size"));
    }
    let image = Image { screen: screen.clone(), width, height };
    images.lock().unwrap_or_else(PoisonError::into_inner).insert(screen, image);
    Ok(())
}

/// List the images.
#[command("image list", idempotent)]
fn list(images: State<Images>) -> Vec<Image> {
    images.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
}

/// Remove the image of a screen.
#[command("image remove", idempotent)]
fn remove(images: State<Images>, screen: &str) -> bool {
    images.lock().unwrap_or_else(PoisonError::into_inner).remove(screen).is_some()
}

/// The daemon's program. `linked` lets it explain and complete the commands also without a daemon.
fn program() -> Program {
    Program::new(examples::place("wallpaper"))
        .name("wallpaper msg")
        .about("Talk to the daemon that runs.")
        .linked()
        .before("image set", |call| {
            let file = call.words.pop().ok_or("which image?")?;
            call.body(Cursor::new(decode(&fs::read(file)?)?));
            Ok(())
        })
        .format("image list", |images: Vec<Image>| {
            let mut text = String::new();
            for Image { screen, width, height } in images {
                let _ = writeln!(text, "{screen}: {width} × {height}");
            }
            if text.is_empty() { "no images".into() } else { text }
        })
}

/// Returns the size and the pixels of a binary PPM image.
fn decode(ppm: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let parts: Vec<_> = ppm.splitn(5, u8::is_ascii_whitespace).collect();
    let [b"P6", width, height, b"255", pixels] = parts[..] else {
        return Err("the file is no PPM image".into());
    };
    let size =
        |digits| -> Result<u32, Box<dyn Error>> { Ok(std::str::from_utf8(digits)?.parse()?) };
    Ok([&size(width)?.to_be_bytes()[..], &size(height)?.to_be_bytes(), pixels].concat())
}

fn main() -> ExitCode {
    match Cli::parse() {
        Cli::Msg(words) => program().run(words),
        Cli::Run => {
            match Server::new().state(Images::default()).run(examples::place("wallpaper")) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("wallpaper: {error}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}
