// Subscribes to streams with node-redis in the version that NODE_PATH chooses: streams_node_redis.cjs SOCKET
"use strict";
const assert = require("node:assert/strict");
const redis = require("redis");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const readline = require("node:readline");

const path = process.argv[2];
const version = JSON.parse(readFileSync(join(process.env.NODE_PATH, "redis/package.json"))).version;
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function fault(kind) {
  console.log(kind);
  assert.equal((await answers.next()).value, "done");
}

const numbers = (count) => [...Array(count).keys()].map(String);

async function check(settings) {
  const client = redis.createClient({ socket: { path, reconnectStrategy: () => 5 }, ...settings });
  const subscriber = client.duplicate();
  for (const each of [client, subscriber]) {
    each.on("error", () => {});
    await each.connect();
  }
  const call = (...words) => client.sendCommand(words);
  let got = [];
  let wake = () => {};
  const listen = (text, channel) => {
    got.push(`${channel} ${text}`);
    wake();
  };
  const take = async (isLast) => {
    while (!got.some(isLast)) {
      await new Promise((resolve) => (wake = resolve));
    }
    return got.splice(0);
  };
  const items = (count) => numbers(count).map((n) => `item ${n}`);

  await subscriber.pSubscribe("count 3", listen);
  assert.deepEqual(await take((each) => each.startsWith("end")), [...items(3), "end +END"]);
  await subscriber.pUnsubscribe("count 3");
  await subscriber.pSubscribe("break-after 2", listen);
  const broken = [...items(2), "error -BROKEN in the end"];
  assert.deepEqual(await take((each) => each.startsWith("error")), broken);
  await subscriber.pUnsubscribe("break-after 2");
  for (const [name, end] of [
    ["count 2", ["0", "1", "+END"]],
    ["break-after 1", ["0", "-BROKEN in the end"]],
  ]) {
    await subscriber.subscribe(name, listen);
    const last = `${name} ${end.at(-1)}`;
    assert.deepEqual(await take((each) => each === last), end.map((text) => `${name} ${text}`));
    await subscriber.unsubscribe(name);
  }

  await subscriber.subscribe("jobs", listen);
  for (const [name, code] of [
    ["no such", "UNKNOWN "],
    ["take", "USAGE "],
    ["closed", "NOPERM "],
    ["runs take", "USAGE "],
    ["count", "USAGE "],
  ]) {
    for (const subscribe of ["subscribe", "pSubscribe"]) {
      await assert.rejects(subscriber[subscribe](name, listen), (error) => error.message.startsWith(code), name);
      // The connection goes on.
      assert.equal(await call("emit", "jobs", name), 1);
      await take((each) => each === `jobs ${name}`);
    }
  }

  const many = subscriber.pSubscribe("count 2000", listen);
  for (const n of numbers(200)) {
    assert.equal(await call("emit", "jobs", n), 1);
  }
  await many;
  const isEvent = (each) => each.startsWith("jobs ");
  while (got.length < 2201) {
    await new Promise((resolve) => (wake = resolve));
  }
  const all = got.splice(0);
  assert.deepEqual(all.filter(isEvent), numbers(200).map((n) => `jobs ${n}`));
  assert.deepEqual(all.filter((each) => !isEvent(each)), [...items(2000), "end +END"]);
  await subscriber.pUnsubscribe("count 2000");

  let run = (await call("runs", "follow")) + 1;
  await subscriber.pSubscribe("follow", listen);
  await take((each) => each === `item ${run}`);
  for (const kind of ["cut", "restart"]) {
    const [hangs, hits] = [await call("runs", "hang"), await call("runs", "hit")];
    const hang = call("hang").then(() => "answered", (error) => error.message);
    const other = client.duplicate();
    other.on("error", () => {});
    await other.connect();
    while ((await other.sendCommand(["runs", "hang"])) === hangs) {}
    await fault(kind);
    assert.notEqual(await hang, "answered");
    // It subscribes again by itself.
    run += 1;
    for (const text of await take((each) => each === `item ${run}`)) {
      assert.match(text, /^(item \d+|error -SHUTDOWN .*)$/);
    }
    let sent = 0;
    for (; sent < 20; sent++) {
      await call("hit").catch(() => {});
    }
    assert.ok((await call("runs", "hit")) - hits <= sent);
    assert.equal(await call("emit", "jobs", kind), 1);
    await take((each) => each === `jobs ${kind}`);
    assert.equal(await call("runs", "hang"), hangs + 1);
    await (other.destroy ?? other.disconnect).call(other);
  }
  assert.equal(await call("runs", "follow"), run);
  for (const each of [client, subscriber]) {
    await (each.destroy ?? each.disconnect).call(each);
  }
}

(async () => {
  await check({});
  if (parseInt(version) >= 5) {
    await check({ RESP: 3 });
  }
  console.log(version, "ok");
  process.exit();
})();
