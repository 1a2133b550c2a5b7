// Drives ioredis, or its fork iovalkey, in the version that NODE_PATH chooses: ioredis.cjs SOCKET MODULE
"use strict";
const assert = require("node:assert/strict");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , path, name] = process.argv;
const Redis = require(name);
const package_ = join(process.env.NODE_PATH, name, "package.json");
const version = JSON.parse(readFileSync(package_)).version;
const blob = Buffer.from([...Array(256).keys(), 13, 10]);

async function check(settings) {
  const client = new Redis({ path, retryStrategy: null, ...settings });
  client.on("error", (error) => {
    throw error;
  });
  // It asks INFO until the server says that it has loaded.
  await once(client, "ready");
  const ask = (...words) => client.call(...words);

  const start = await ask("add", 0);
  assert.equal(await ask("add", 2), start + 2);
  assert.equal(await ask("ADD", "-2"), start);
  assert.deepEqual(await ask("words", "a b", "c"), ["a b", "c"]);
  assert.deepEqual(await ask("prices"), ["pear", 2, "plum", 3]);
  assert.equal(await ask("half", 3), "1.5");
  assert.equal(await ask("even", 2), 1);
  assert.equal(await ask("big"), "18446744073709551615");
  assert.equal(await ask("nothing"), null);
  assert.equal(await ask("nap", "20ms"), "OK");
  assert.deepEqual(await client.callBuffer("blob"), blob);
  assert.deepEqual(await client.callBuffer("reverse", blob), Buffer.from(blob).reverse());

  await assert.rejects(ask("fetch", "tea"), { message: "NOTFOUND there is no tea" });
  await assert.rejects(ask("ad", 1), /^ReplyError: UNKNOWN /);

  const pipeline = client.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.call("add", 1);
  pipeline.call("fetch", "tea");
  const answers = await pipeline.exec();
  const [error] = answers.pop();
  assert.equal(error.message, "NOTFOUND there is no tea");
  assert.deepEqual(answers, Array.from({ length: 1000 }, (_, i) => [null, start + 1 + i]));

  // MULTI and EXEC, in one pipeline and one by one.
  for (const pipeline of [true, false]) {
    const now = await ask("add", 0);
    const multi = (...commands) => {
      const all = client.multi({ pipeline });
      const target = pipeline ? all : client;
      for (const words of commands) target.call(...words);
      return target.exec();
    };
    const both = await multi(["add", 1], ["nothing"], ["fetch", "tea"], ["add", 1]);
    const [[missing]] = both.splice(2, 1);
    assert.equal(missing.message, "NOTFOUND there is no tea");
    assert.deepEqual(both, [[null, now + 1], [null, null], [null, now + 2]]);
    if (pipeline) {
      await assert.rejects(multi(["add", 1], ["add", "x"]), /EXECABORT/);
    }
    assert.equal(await ask("add", 0), now + 2);
  }

  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.echo("hi"), "hi");
  assert.equal(await client.client("GETNAME"), settings.connectionName ?? "");
  assert.equal(await client.quit(), "OK");
}

async function main() {
  await check({});
  await check({ connectionName: "me" });

  // A late answer would be taken for the next command's.
  const client = new Redis(path);
  assert.equal(await client.call("nap", "5s"), "OK");
  assert.equal(await client.ping(), "PONG");
  assert.deepEqual(await client.call("words", "b"), ["b"]);
  await client.quit();
  console.log(`${name} ${version} ok`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
