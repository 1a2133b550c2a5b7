//! Calls a daemon with the trait that `dockipc schema --rust` printed: typed SOCKET

mod typed;
mod typed_async;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dockipc::{AsyncClient, Client, Error, Secret};
use typed::{Folder, Level, Mood, S, SClient, Shape};

fn main() -> dockipc::Result<()> {
    let socket = std::env::args().nth(1).expect("a socket");
    let client = SClient::new(Client::new(socket));
    assert_eq!(client.check()?, []);
    let hits: &dyn S = &client;
    let (wait, at) = (Duration::from_nanos(1_500_000_001), SystemTime::UNIX_EPOCH);
    let kinds = hits.kinds(
        "--text",
        b"\r\n\0\xff",
        Path::new("/tmp"),
        true,
        'ß',
        wait,
        at,
        "::1",
        -1.5,
        -7,
        u128::MAX,
        Mood::SoSo,
        Some("x"),
    )?;
    assert_eq!((&*kinds.text, &*kinds.bytes, kinds.truth), ("--text", &b"\r\n\0\xff"[..], true));
    assert_eq!((kinds.path.as_path(), kinds.sign, kinds.wait, kinds.at), (Path::new("/tmp"), 'ß', wait, at));
    assert_eq!((&*kinds.address, kinds.number, kinds.small, kinds.big), ("::1", -1.5, -7, u128::MAX));
    assert_eq!((kinds.mood, kinds.none, kinds.r#type.as_deref()), (Mood::SoSo, None, Some("x")));
    assert_eq!((kinds.row, kinds.set, kinds.optional), ((1, "one".into()), vec![1, 2], vec![Some(-1), None]));
    assert_eq!(kinds.map, BTreeMap::from([("k".into(), b"\xff".to_vec())]));
    assert_eq!(kinds.moods, BTreeMap::from([(Mood::V7th, 7)]));
    assert_eq!(hits.class("a b", Some(3), true)?, "a b Some(3) true");
    assert_eq!(hits.class("--", None, false)?, "-- None false");
    assert_eq!(hits.job_list_all(&["a", "--b"], &[1, 2])?, (vec!["a".into(), "--b".into()], vec![1, 2]));
    let (files, command) = hits.run(&["a", "--", "--b"], &[b"--", b"-c\xff", b""])?;
    assert_eq!((files, command), (vec!["a".into(), "--".into(), "--b".into()], vec![b"--".to_vec(), b"-c\xff".to_vec(), b"".to_vec()]));
    assert_eq!(hits.run(&["--"], &[])?, (vec!["--".into()], vec![]));
    let env = BTreeMap::from([("-k", &b"a=\xff"[..])]);
    let (env, limits) = hits.environment(&env, &BTreeMap::from([("-l", -7)]))?;
    assert_eq!((env, limits), (BTreeMap::from([("-k".into(), b"a=\xff".to_vec())]), BTreeMap::from([("-l".into(), -7)])));
    assert_eq!(hits.wait(&BTreeMap::from([("a", wait), ("b", wait)]))?, wait * 2);
    assert_eq!(hits.upload(None, &mut &b"--"[..])?, (None, 2));
    assert_eq!(hits.upload(Some("--"), &mut &b""[..])?, (Some("--".into()), 0));
    assert_eq!(hits.open(Path::new("x"), None)?, (std::env::current_dir().unwrap().join("x"), false));
    let (files, lists, cwd, env) = hits.start(&[Path::new("a")], &[], None, None)?;
    let here = std::env::current_dir().unwrap();
    assert_eq!((files, lists, cwd), (vec![here.join("a")], vec![], here));
    assert_eq!(env.get("PATH").map(Vec::as_slice), std::env::var_os("PATH").as_ref().map(|path| path.as_encoded_bytes()));
    assert_eq!(hits.start(&[], &[], None, Some(&BTreeMap::new()))?.3, BTreeMap::new());
    assert_eq!(hits.variables(Some(&BTreeMap::from([("K", "v")])))?.collect::<dockipc::Result<Vec<_>>>()?, ["K=v"]);
    assert_eq!(hits.say("two  blanks")?, "two  blanks");
    assert_eq!(hits.save(Secret::new("sesame".into()))?, "6");
    assert_eq!(hits.size(&mut &[0; 300_000][..])?, 300_000);
    assert_eq!(hits.take_pairs(&mut [(1, Mood::Good), (2, Mood::V7th)].into_iter())?, [1, 4]);
    let tree = hits.tree()?;
    assert_eq!(hits.take_folders(&mut std::iter::once(tree.clone()))?, [tree]);
    let odd = || String::from("a\tb\nc\r\\t\\\\\r\n");
    assert_eq!(hits.take_texts(&mut [odd(), String::new()].into_iter())?, [odd(), String::new()]);
    let names = hits.import(&BTreeMap::from([("__proto__", 1)]), Some(1), None, None, None, Some(5), Some(6), None)?;
    assert_eq!((&*names.proto, names.map), ("1 0 0 0 5 6 0", BTreeMap::from([("__proto__".into(), 1)])));
    let Err(Error::Refused(failure)) = hits.fail(Some("x")) else { panic!("no failure") };
    assert_eq!((failure.code(), failure.message()), ("NOTFOUND", "no tea"));
    let items: dockipc::Result<Vec<String>> = hits.count(2, Some("-'x"))?.collect();
    assert_eq!(items?, ["0-'x", "1-'x"]);
    assert!(hits.count(4, None)?.last().is_some_and(|last| last.is_err()));
    let pairs: dockipc::Result<Vec<_>> = hits.pairs()?.collect();
    assert_eq!(pairs?, [(1, Mood::Good), (2, Mood::SoSo)]);
    let leaf = Folder { name: "leaf".into(), folders: Vec::new(), parent: None };
    let root = Folder { name: "root".into(), folders: vec![leaf.clone()], parent: Some(Box::new(leaf)) };
    assert_eq!(hits.tree()?, root);
    assert_eq!(hits.anything()?.parse::<u8>()?, 7);
    let (entries, empty, sole) = hits.odd_types()?;
    assert_eq!(entries[0].sizes["k"], [(1, None), (2, Some("x".into()))]);
    assert_eq!((empty, sole), (typed::ReturnType {}, typed::Sole::Word));
    let odd = typed::Iterator2 { a_b: 1, x: Some("y".into()) };
    assert_eq!(hits.odd_iterators(&mut [odd.clone()].into_iter())?, [odd]);
    let only = typed::Unpin2::Only { c_d: 3 };
    assert_eq!(hits.odd_variants(&mut [only.clone()].into_iter())?, [only]);
    hits.nothing()?;
    let text = Shape::Text { r#in: "x".into(), shapes: vec![] };
    let shapes = [Shape::Nothing, Shape::Circle(1.5), Shape::Line(-1, 2), text, Shape::Mood(Mood::Good)];
    assert_eq!(hits.shape_list()?, shapes);
    assert_eq!(hits.shape_level()?, Level::Low);
    let _ = Level::Other;
    assert_eq!((hits.maybe(None)?, hits.maybe(Some(6))?), (None, Some(6)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(call_async(AsyncClient::from(client.client().clone())))?;
    println!("ok");
    Ok(())
}

async fn call_async(client: AsyncClient) -> dockipc::Result<()> {
    use typed_async::{Mood, S, SClient};

    let hits = SClient::new(client);
    assert_eq!(hits.check().await?, []);
    assert_eq!(hits.class("a b", Some(3), true).await?, "a b Some(3) true");
    let mut items = hits.count(1, None).await?;
    assert_eq!(items.next().await.transpose()?.as_deref(), Some("0"));
    assert!(items.next().await.is_none());
    let mut pairs = hits.pairs().await?;
    assert_eq!(pairs.next().await.transpose()?, Some((1, Mood::Good)));
    Ok(())
}
