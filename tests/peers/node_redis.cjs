// Drives node-redis in the version that NODE_PATH chooses: node_redis.cjs SOCKET
"use strict";
const assert = require("node:assert/strict");
const redis = require("redis");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const path = process.argv[2];
const version = JSON.parse(readFileSync(join(process.env.NODE_PATH, "redis/package.json"))).version;
const major = parseInt(version);
const blob = Buffer.from([...Array(256).keys(), 13, 10]);

async function check(settings, resp3) {
  const client = redis.createClient({ socket: { path, reconnectStrategy: false }, ...settings });
  client.on("error", (error) => {
    throw error;
  });
  await client.connect();
  const ask = (...words) => client.sendCommand(words);

  const start = await ask("add", "0");
  assert.equal(await ask("add", "2"), start + 2);
  assert.equal(await ask("ADD", "-2"), start);
  assert.deepEqual(await ask("words", "a b", "c"), ["a b", "c"]);
  assert.deepEqual(await ask("words"), []);
  assert.equal(await ask("nothing"), null);
  assert.equal(await ask("nap", "20ms"), "OK");
  const prices = await ask("prices");
  if (resp3) {
    assert.deepEqual({ ...prices }, { pear: 2, plum: 3 });
    assert.equal(await ask("half", "3"), 1.5);
    assert.equal(await ask("even", "2"), true);
  } else {
    assert.deepEqual(prices, ["pear", 2, "plum", 3]);
    assert.equal(await ask("half", "3"), "1.5");
    assert.equal(await ask("even", "2"), 1);
  }
  assert.equal(await ask("big"), "18446744073709551615");

  // Bytes, both ways.
  const raw =
    major >= 5
      ? { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } }
      : { returnBuffers: true };
  const bytes = (...words) => client.sendCommand(words, raw);
  assert.deepEqual(await bytes("blob"), blob);
  assert.deepEqual(await bytes("reverse", blob), Buffer.from(blob).reverse());

  await assert.rejects(ask("fetch", "tea"), { message: "NOTFOUND there is no tea" });
  await assert.rejects(ask("ad", "1"), /^\w*Error: UNKNOWN /);
  await assert.rejects(ask("add", "x"), /^\w*Error: USAGE /);

  // What is asked for at once goes out as a pipeline.
  const totals = await Promise.all(Array.from({ length: 1000 }, () => ask("add", "1")));
  assert.deepEqual(totals, Array.from({ length: 1000 }, (_, i) => start + 1 + i));
  const pipeline = client.multi().addCommand(["add", "0"]).addCommand(["nothing"]);
  assert.deepEqual([...(await pipeline.execAsPipeline())], [start + 1000, null]);

  // MULTI and EXEC.
  const multi = (...commands) =>
    commands.reduce((all, words) => all.addCommand(words), client.multi()).exec();
  const both = await multi(["add", "1"], ["nothing"], ["add", "1"]);
  assert.deepEqual([...both], [start + 1001, null, start + 1002]);
  await assert.rejects(multi(["add", "1"], ["add", "x"]), /EXECABORT|USAGE/);
  assert.equal(await ask("add", "0"), start + 1002);
  const failed = await multi(["fetch", "tea"], ["add", "1"]).catch((error) => error.replies);
  assert.equal(failed[0].message, "NOTFOUND there is no tea");
  assert.equal(failed[1], start + 1003);

  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.echo("hi"), "hi");
  assert.equal(await client.clientGetName(), settings.name ?? "");
  assert.match(await client.info(), /^loading:0\r$/m);
  await (major >= 5 ? client.close() : client.quit());
}

async function main() {
  // From 6 on the default is RESP3.
  await check({}, major >= 6);
  await check({ name: "me" }, major >= 6);
  if (major >= 5) {
    await check({ RESP: 2 }, false);
    await check({ RESP: 3, name: "me" }, true);
    // It sends CLIENT TRACKING ON, and disconnects if that is refused.
    await check({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 10 } }, true);
  }

  // A late answer would be taken for the next command's.
  const client = await redis.createClient({ socket: { path } }).connect();
  assert.equal(await client.sendCommand(["nap", "5s"]), "OK");
  assert.equal(await client.ping(), "PONG");
  assert.deepEqual(await client.sendCommand(["words", "b"]), ["b"]);
  await (major >= 5 ? client.close() : client.quit());
  console.log(`node-redis ${version} ok`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
