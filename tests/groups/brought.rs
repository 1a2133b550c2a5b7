//! Values that a typed client fills in for fields of derived types: absolute paths, the directory and the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dockipc::client::Way;
use dockipc::{Args, Commands, command};

use super::daemon::daemon;

/// The caller's directory and environment.
#[derive(Args, Clone, Debug, Default, PartialEq)]
struct Brought {
    #[arg(absolute)]
    path: PathBuf,
    #[arg(long, absolute)]
    more: Vec<PathBuf>,
    #[arg(caller = "cwd")]
    cwd: Option<PathBuf>,
    #[arg(caller = "cwd")]
    root: PathBuf,
    #[arg(caller = "env")]
    env: BTreeMap<OsString, OsString>,
}

#[derive(Args, Clone, Debug, PartialEq)]
enum Source {
    File(#[arg(absolute)] PathBuf),
    Files(#[arg(absolute)] Vec<PathBuf>),
    Nothing,
}

#[derive(Commands, Clone, Debug, PartialEq)]
#[command(prefix = "bring")]
enum Bring {
    Picture {
        #[arg(long, absolute)]
        path: Option<PathBuf>,
        #[arg(long, caller = "cwd")]
        at: Option<PathBuf>,
    },
    All(Brought),
    Of {
        source: Source,
    },
}

#[command]
fn brought(brought: Brought, source: Option<Source>) -> String {
    format!("{brought:?} {source:?}")
}

#[command]
fn bring(bring: Bring) -> String {
    format!("{bring:?}")
}

#[command]
fn directory(#[arg(caller = "cwd")] at: PathBuf) -> PathBuf {
    at
}

#[dockipc::client]
trait Bringer {
    fn directory(&self, #[arg(caller = "cwd")] at: Option<&Path>) -> dockipc::Result<PathBuf>;

    fn brought(&self, brought: &Brought, source: Option<Source>) -> dockipc::Result<String>;

    fn bring(&self, bring: &Bring) -> dockipc::Result<String>;
}

fn here() -> PathBuf {
    std::env::current_dir().unwrap()
}

/// Returns a value as the caller writes it, and as the daemon receives it.
fn filled() -> [(Brought, Brought); 2] {
    let relative = Brought {
        path: "a/../b".into(),
        more: vec!["c".into(), "/d".into()],
        root: "r".into(),
        ..Brought::default()
    };
    let env = std::env::vars_os().filter(|(name, _)| name != "DOCKIPC_TOKEN").collect();
    let whole = Brought {
        path: here().join("a/../b"),
        more: vec![here().join("c"), "/d".into()],
        cwd: Some(here()),
        root: here().join("r"),
        env,
    };
    let given = Brought {
        path: "/a".into(),
        more: Vec::new(),
        cwd: Some("/w".into()),
        root: "/".into(),
        env: [("KEY".into(), "a=b c".into())].into(),
    };
    [(relative, whole), (given.clone(), given)]
}

fn sources() -> Vec<(Source, Source)> {
    let (file, files) = (Source::File("x".into()), Source::Files(vec!["x".into(), "/y".into()]));
    let whole_files = Source::Files(vec![here().join("x"), "/y".into()]);
    vec![
        (file, Source::File(here().join("x"))),
        (files, whole_files),
        (Source::Nothing, Source::Nothing),
    ]
}

#[test]
fn fields_of_a_struct_are_filled_in() {
    let daemon = daemon();
    let typed = BringerClient::new(daemon.client());
    for (given, whole) in filled() {
        let answer = typed.brought(&given, None).unwrap();
        assert_eq!(answer, format!("{whole:?} None"));
        let client = daemon.client();
        let call = client.command("brought").give(&given, Way::Position);
        assert_eq!(call.call::<String>().unwrap(), answer);
    }
}

#[test]
fn variant_of_alternatives_is_made_absolute() {
    let daemon = daemon();
    let client = BringerClient::new(daemon.client());
    let (given, whole) = &filled()[1];
    for (source, absolute) in sources() {
        let answer = client.brought(given, Some(source)).unwrap();
        assert_eq!(answer, format!("{whole:?} {:?}", Some(absolute)));
    }
}

#[test]
fn fields_of_a_requested_variant_are_filled_in() {
    let daemon = daemon();
    let (client, typed) = (daemon.client(), BringerClient::new(daemon.client()));
    let picture = |path: Option<PathBuf>, at| Bring::Picture { path, at };
    let mut cases = vec![
        (picture(Some("p.png".into()), None), picture(Some(here().join("p.png")), Some(here()))),
        (picture(None, Some("q".into())), picture(None, Some(here().join("q")))),
    ];
    cases.extend(filled().map(|(given, whole)| (Bring::All(given), Bring::All(whole))));
    let of = |source| Bring::Of { source };
    cases.extend(sources().into_iter().map(|(given, whole)| (of(given), of(whole))));
    for (given, whole) in cases {
        let answer = format!("{whole:?}");
        assert_eq!(typed.bring(&given).unwrap(), answer);
        assert_eq!(client.request(given).call::<String>().unwrap(), answer);
    }
}

#[test]
fn directory_of_the_caller_is_an_option() {
    let daemon = daemon();
    let client = BringerClient::new(daemon.client());
    assert_eq!(client.directory(None).unwrap(), here());
    assert_eq!(client.directory(Some(Path::new("/w"))).unwrap(), Path::new("/w"));
    assert_eq!(client.check().unwrap(), []);
}

#[test]
fn words_of_a_variant_are_not_filled_in() {
    let picture = Bring::Picture { path: Some("p.png".into()), at: None };
    assert_eq!(picture.to_words(), ["picture", "--path", "p.png"]);
}
