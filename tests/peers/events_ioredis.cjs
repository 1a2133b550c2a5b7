// Subscribes with ioredis in the version that NODE_PATH chooses: events_ioredis.cjs SOCKET
"use strict";
const assert = require("node:assert/strict");
const Redis = require("ioredis");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const path = process.argv[2];
const version = JSON.parse(readFileSync(join(process.env.NODE_PATH, "ioredis/package.json"))).version;

(async () => {
  const client = new Redis({ path, retryStrategy: () => null });
  const subscriber = new Redis({ path, retryStrategy: () => null });
  const got = [];
  let wake = () => {};
  const listen = (...event) => {
    got.push(event);
    wake();
  };
  subscriber.on("message", listen);
  subscriber.on("pmessage", listen);
  assert.equal(await subscriber.subscribe("jobs.done", "disk"), 2);
  assert.equal(await subscriber.psubscribe("jobs.*"), 3);
  const expected = [];
  for (let count = 0; count < 100; count++) {
    assert.equal(await client.call("emit", "jobs.done", `${count}`), 2);
    assert.equal(await client.call("emit", "disk", "full"), 1);
    expected.push(["jobs.done", `${count}`], ["jobs.*", "jobs.done", `${count}`], ["disk", "full"]);
  }
  while (got.length < 300) {
    await new Promise((resolve) => (wake = resolve));
  }
  assert.deepEqual(got, expected);
  assert.deepEqual(await client.pubsub("CHANNELS"), ["disk", "jobs.done"]);
  assert.deepEqual(await client.pubsub("NUMSUB", "disk"), ["disk", 1]);
  await assert.rejects(subscriber.subscribe("Not A Channel"), /^ReplyError: UNKNOWN /);
  assert.equal(await subscriber.unsubscribe("disk"), 2);
  // Without names it waits forever while others are left, with Redis as well.
  assert.equal(await subscriber.punsubscribe("jobs.*"), 1);
  assert.equal(await subscriber.unsubscribe("jobs.done"), 0);
  assert.equal(await subscriber.call("emit", "disk", "full"), 0);
  client.disconnect();
  subscriber.disconnect();
  console.log(version, "ok");
})();
