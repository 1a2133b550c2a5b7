// Subscribes to streams with ioredis in the version that NODE_PATH chooses: streams_ioredis.cjs SOCKET
"use strict";
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const readline = require("node:readline");

const path = process.argv[2];
const version = JSON.parse(readFileSync(join(process.env.NODE_PATH, "ioredis/package.json"))).version;
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function fault(kind) {
  console.log(kind);
  assert.equal((await answers.next()).value, "done");
}

const numbers = (count) => [...Array(count).keys()].map(String);

function connect(settings) {
  const client = new Redis({ path, retryStrategy: () => 5, ...settings });
  client.on("error", () => {});
  return client;
}

(async () => {
  // Without this it sends commands again whose connection was lost.
  const client = connect({ maxRetriesPerRequest: 0 });
  const subscriber = connect({});
  let got = [];
  let wake = () => {};
  const listen = (...words) => {
    got.push(words.join(" | "));
    wake();
  };
  subscriber.on("message", listen);
  subscriber.on("pmessage", listen);
  const take = async (isLast) => {
    while (!got.some(isLast)) {
      await new Promise((resolve) => (wake = resolve));
    }
    return got.splice(0);
  };
  const items = (call, count) => numbers(count).map((n) => `${call} | item | ${n}`);

  for (const [call, count, end] of [
    ["count 3", 3, "end | +END"],
    ["break-after 2", 2, "error | -BROKEN in the end"],
  ]) {
    await subscriber.psubscribe(call);
    const last = `${call} | ${end}`;
    assert.deepEqual(await take((each) => each === last), [...items(call, count), last]);
    await subscriber.punsubscribe(call);
  }
  for (const [call, end] of [
    ["count 2", ["0", "1", "+END"]],
    ["break-after 1", ["0", "-BROKEN in the end"]],
  ]) {
    await subscriber.subscribe(call);
    const expected = end.map((text) => `${call} | ${text}`);
    assert.deepEqual(await take((each) => each === expected.at(-1)), expected);
    await subscriber.unsubscribe(call);
  }

  await subscriber.subscribe("jobs");
  for (const [call, code] of [
    ["no such", "UNKNOWN "],
    ["take", "USAGE "],
    ["closed", "NOPERM "],
    ["runs take", "USAGE "],
    ["count", "USAGE "],
  ]) {
    for (const subscribe of ["subscribe", "psubscribe"]) {
      await assert.rejects(subscriber[subscribe]("count 1", call), (error) => error.message.startsWith(code), call);
      // The connection goes on.
      assert.equal(await client.call("emit", "jobs", call), 1);
      await take((each) => each === `jobs | ${call}`);
    }
  }

  const many = subscriber.psubscribe("count 2000");
  for (const n of numbers(200)) {
    assert.equal(await client.call("emit", "jobs", n), 1);
  }
  await many;
  while (got.length < 2201) {
    await new Promise((resolve) => (wake = resolve));
  }
  const all = got.splice(0);
  const isEvent = (each) => each.startsWith("jobs |");
  assert.deepEqual(all.filter(isEvent), numbers(200).map((n) => `jobs | ${n}`));
  const expected = [...items("count 2000", 2000), "count 2000 | end | +END"];
  assert.deepEqual(all.filter((each) => !isEvent(each)), expected);
  await subscriber.punsubscribe("count 2000");

  let run = (await client.call("runs", "follow")) + 1;
  await subscriber.psubscribe("follow");
  await take((each) => each === `follow | item | ${run}`);
  for (const kind of ["cut", "restart"]) {
    const [hangs, hits] = [await client.call("runs", "hang"), await client.call("runs", "hit")];
    // A daemon that stops answers first, so that nothing is sent again.
    const caller = kind === "restart" ? connect({}) : client;
    const hang = caller.call("hang").then(() => "answered", (error) => error.message);
    const other = connect({});
    while ((await other.call("runs", "hang")) === hangs) {}
    other.disconnect();
    await fault(kind);
    assert.notEqual(await hang, "answered");
    // It subscribes again by itself.
    run += 1;
    for (const text of await take((each) => each === `follow | item | ${run}`)) {
      assert.match(text, /^follow \| (item \| \d+|error \| -SHUTDOWN .*)$/);
    }
    let sent = 0;
    for (; sent < 20; sent++) {
      await client.call("hit").catch(() => {});
    }
    let runs;
    while (runs === undefined) {
      runs = await client.call("runs", "hit").catch(() => undefined);
    }
    assert.ok(runs - hits <= sent);
    while ((await client.call("emit", "jobs", kind)) !== 1) {}
    await take((each) => each === `jobs | ${kind}`);
    assert.equal(await client.call("runs", "hang"), hangs + 1);
    if (caller !== client) {
      caller.disconnect();
    }
  }
  assert.equal(await client.call("runs", "follow"), run);

  client.disconnect();
  subscriber.disconnect();
  console.log(version, "ok");
  process.exit();
})();
