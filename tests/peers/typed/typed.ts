// Calls a daemon with the module that `dockipc schema --typescript` printed: typed.js SOCKET
import * as assert from "node:assert/strict";

import { type Edited, Failure, type Folder, type Given, type Kinds, type Mood, type Part, S, type Shape } from "./typed_client";

async function all<T>(items: AsyncGenerator<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function main(): Promise<void> {
  const hits = new S(process.argv[2] as string, { timeout: 30_000 });
  const at = new Date("2026-01-31T23:59:59.005Z");
  const mood: Mood = "so-so";
  const kinds: Kinds = await hits.kinds(
    "--text",
    Buffer.from([13, 10, 0, 255]),
    "/tmp",
    true,
    "ß",
    1500.5,
    at,
    "::1",
    -1.5,
    -7,
    { big: 2n ** 128n - 1n, mood, type: "x" },
  );
  assert.deepEqual(kinds, {
    text: "--text",
    bytes: Buffer.from([13, 10, 0, 255]),
    path: Buffer.from("/tmp"),
    truth: true,
    sign: "ß",
    wait: 1500.5,
    at,
    address: "::1",
    number: -1.5,
    small: -7,
    big: 2n ** 128n - 1n,
    mood: "so-so",
    none: null,
    type: "x",
    row: [1, "one"],
    map: new Map([["k", Buffer.from([255])]]),
    moods: new Map<Mood, bigint>([["7th", 7n]]),
    set: [1, 2],
    optional: [-1n, null],
  });
  assert.equal(await hits.class("a b", { while: 3, delete: true }), "a b Some(3) true");
  assert.equal(await hits.class("--"), "-- None false");
  assert.deepEqual(await hits.jobListAll(["a", "--b"], { limits: [1, 2] }), [["a", "--b"], [1, 2]]);
  const words = [Buffer.from("--"), Buffer.from([45, 99, 255]), Buffer.from("")];
  assert.deepEqual(await hits.run(["a", "--", "--b"], words), [["a", "--", "--b"], words]);
  assert.deepEqual(await hits.run(["--"]), [["--"], []]);
  const bytes = Buffer.from([97, 61, 255]);
  const [env, limits] = await hits.environment({ "-l": -7 }, { env: { "-k": bytes } });
  assert.deepEqual([env, limits], [new Map([["-k", bytes]]), new Map([["-l", -7n]])]);
  assert.deepEqual(await hits.environment(), [new Map(), new Map()]);
  assert.equal(await hits.wait({ a: 1.5, b: 2 }), 3.5);
  assert.deepEqual(await hits.upload(undefined, "--"), [null, 2n]);
  assert.deepEqual(await hits.upload("--", ""), ["--", 0n]);
  assert.deepEqual(await hits.open("/x"), [Buffer.from("/x"), false]);
  const here = (path: string) => Buffer.from(`${process.cwd()}/${path}`);
  assert.deepEqual(await hits.open(Buffer.from("x"), { under: "y" }), [here("x"), true]);
  assert.deepEqual(await hits.start(), [[], [], Buffer.from(process.cwd()), new Map()]);
  assert.deepEqual(
    await hits.start(["a", "/b"], { lists: ["c"], cwd: "d", env: { K: "v", none: undefined } }),
    [[here("a"), Buffer.from("/b")], [here("c")], here("d"), new Map([["K", Buffer.from("v")]])],
  );
  const [, , , variables] = await hits.start([], { env: process.env });
  assert.deepEqual(variables.get("PATH"), Buffer.from(process.env["PATH"] as string));
  assert.deepEqual(await all(hits.variables({ env: { K: "v" } })), ["K=v"]);
  const note: Edited["note"] = { title: "x", colors: ["red"], parent: null };
  assert.deepEqual(
    await hits.edit(note, ["{}", null, [1]], { extra: { a: 1.5 }, others: [null, "x"], keys: { k: ["v"] } }),
    { note, rest: ["{}", null, [1]], extra: { a: 1.5 }, others: [null, "x"], keys: new Map([["k", '["v"]']]) },
  );
  assert.equal((await hits.edit({ title: "x", colors: [] })).extra, null);
  // @ts-expect-error: not a color
  await assert.rejects(hits.edit({ title: "x", colors: ["blue"] }), Failure);
  assert.equal(await hits.say("two  blanks"), "two  blanks");
  assert.equal(await hits.save("sesame"), "6");
  assert.equal(await hits.size(Buffer.alloc(300_000)), 300_000n);
  assert.deepEqual(await hits.takePairs([[1, "good"], [2n, "7th"]]), [1n, 4n]);
  assert.deepEqual(await hits.takePairs(new Set<[number, Mood]>()), []);
  // @ts-expect-error: not a mood
  await assert.rejects(async () => hits.takePairs([[1, "bad"]]), Failure);
  const odd = "a\tb\nc\r\\t\\\\\r\n";
  const parts: Part[] = [
    {
      name: odd,
      bytes: Buffer.from([9, 10, 13, 92, 255, 0]),
      wait: 1.5,
      place: [7, "\t"],
      shape: { circle: -1.5 },
      tags: ["", odd, "\\"],
    },
    { name: "", bytes: Buffer.from(""), wait: null, place: null, shape: "nothing", tags: [] },
    { name: "name", bytes: Buffer.from("x"), wait: null, place: null, shape: { line: { from: 1, to: 2 } }, tags: ["x"] },
  ];
  assert.deepEqual(await hits.takeParts(parts), parts);
  const short: Given<Part> = { name: "x", bytes: "y", shape: "nothing", tags: [] };
  const [full] = await hits.takeParts([short]);
  assert.deepEqual(full, { name: "x", bytes: Buffer.from("y"), wait: null, place: null, shape: "nothing", tags: [] });
  // The first has the names of the columns, as a header does.
  const table = [
    { name: "name", "how-many": null },
    { name: odd, "how-many": 2n ** 64n - 1n },
    { name: "", "how-many": 0n },
  ];
  assert.deepEqual(await hits.takeLines(null, table), [null, table]);
  assert.deepEqual(await hits.takeLines("--", [{ name: "x", "how-many": 3 }, { name: "y" }]), [
    "--",
    [{ name: "x", "how-many": 3n }, { name: "y", "how-many": null }],
  ]);
  const texts = [odd, "", "\t", "\u2603", "-", "@x"];
  assert.deepEqual(await hits.takeTexts(texts), texts);
  assert.deepEqual(await hits.takeBlobs([Buffer.from([255, 10, 0]), "x"]), [Buffer.from([255, 10, 0]), Buffer.from("x")]);
  assert.deepEqual(await hits.takeValues([{ "a\t": [1, null, odd] }, null, "x"]), [{ "a\t": [1, null, odd] }, null, "x"]);
  const maps = [new Map([[odd, -1n], ["", 2n]]), new Map()];
  assert.deepEqual(await hits.takeMaps(maps), maps);
  await assert.rejects(async () => hits.takeTexts("ab"), TypeError);
  await assert.rejects(async () => hits.takePairs([[1] as never]), TypeError);
  const names = await hits.import(new Map([["__proto__", 1]]), {
    constructor2: 1,
    toString2: 2,
    self: 3,
    print: 4,
    aB: 5,
    aB2: 6,
    redis: 7,
  });
  assert.equal(Object.getPrototypeOf(names), Object.prototype);
  assert.deepEqual(Object.getOwnPropertyDescriptor(names, "__proto__")?.value, "1 2 3 4 5 6 7");
  assert.deepEqual([names.constructor, names.self, names.class, names.class_], [1, 2, 3, 4]);
  assert.deepEqual([names["__init__"], names.str, names.int, names.Names], [5, "x", 6, 7]);
  assert.deepEqual(names.map, new Map([["__proto__", 1]]));
  assert.deepEqual(JSON.stringify(names.odd), '{"__proto__":{"__proto__":8}}');
  const own = { ["__proto__"]: 2 };
  assert.deepEqual((await hits.import(own)).map, new Map([["__proto__", 2]]));
  assert.equal((await hits.import()).__proto__, "0 0 0 0 0 0 0");
  assert.deepEqual([await hits.then2(), await hits.list(["a"]), await hits.bytes()], [3, ["a"], Buffer.from([255])]);
  for (const [given, code] of [["x", "NOTFOUND"], [undefined, "ERR"]] as const) {
    await assert.rejects(hits.fail(given), (error) => {
      assert.ok(error instanceof Failure);
      return error.code === code && error.message === "no tea";
    });
  }
  assert.deepEqual(await all(hits.count(2, "-'x")), ["0-'x", "1-'x"]);
  const got: string[] = [];
  await assert.rejects(
    async () => {
      for await (const item of hits.count(4)) got.push(item);
    },
    (error) => error instanceof Failure && error.code === "BROKEN" && error.message === "in the end",
  );
  assert.deepEqual(got, ["0", "1", "2", "3"]);
  for await (const item of hits.count(3)) {
    assert.equal(item, "0");
    break;
  }
  assert.deepEqual(await all(hits.pairs()), [[1, "good"], [2, "so-so"]]);
  const blob = Buffer.from([9, 92, 255, 13, 10]);
  assert.deepEqual(await all(hits.lines()), [[1, blob, "", "good"], [2, Buffer.from(""), "\\t", "7th"]]);
  assert.deepEqual(await all(hits.notes()), [{ "a\t": [1, null] }, null]);
  const leaf: Folder = { name: "leaf", folders: [], parent: null };
  assert.deepEqual(await hits.tree(), { name: "root", folders: [leaf], parent: leaf });
  assert.equal(String(await hits.anything()), "7");
  const [entries, empty, sole] = await hits.oddTypes();
  assert.deepEqual(entries, [{ sizes: new Map([["k", [[1, null], [2, "x"]]]]) }]);
  assert.deepEqual([empty, sole], [{}, "word"]);
  const cells = [{ "a@b": 1, "\"'`${x}": "y" }, { "a@b": 2, "\"'`${x}": null }];
  assert.deepEqual(await hits.oddIterators(cells), cells);
  assert.deepEqual(await hits.oddVariants([{ only: { "c@d*/": 3 } }]), [{ only: { "c@d*/": 3 } }]);
  assert.deepEqual(await hits.oddDefaults({}, undefined, { import: 1 }), [{}, "it's \"x\" \\ */", 1]);
  assert.equal(await hits.nothing(), undefined);
  const shapes: Shape[] = [
    "nothing",
    { circle: 1.5 },
    { line: [-1, 2] },
    { text: { in: "x", shapes: [] } },
    { mood: "good" },
  ];
  assert.deepEqual(await hits.shapeList(), shapes);
  assert.equal(await hits.shapeLevel(), "low");
  assert.deepEqual([await hits.maybe(), await hits.maybe(6)], [null, 6]);
  hits.close();
  console.log("ok");
}

main();
