// Subscribes with node-redis in the version that NODE_PATH chooses: events_node_redis.cjs SOCKET
"use strict";
const assert = require("node:assert/strict");
const redis = require("redis");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const path = process.argv[2];
const version = JSON.parse(readFileSync(join(process.env.NODE_PATH, "redis/package.json"))).version;

async function check(settings) {
  const client = redis.createClient({ socket: { path, reconnectStrategy: false }, ...settings });
  const subscriber = client.duplicate();
  for (const each of [client, subscriber]) {
    each.on("error", (error) => {
      throw error;
    });
    await each.connect();
  }
  const got = [];
  let wake = () => {};
  const listen = (...event) => {
    got.push(event);
    wake();
  };
  const until = async (count) => {
    while (got.length < count) {
      await new Promise((resolve) => (wake = resolve));
    }
  };
  await subscriber.subscribe(["jobs.done", "disk"], (text, channel) => listen(channel, text));
  await subscriber.pSubscribe("jobs.*", (text, channel) => listen("pattern", channel, text));
  for (let count = 0; count < 100; count++) {
    assert.equal(await client.sendCommand(["emit", "jobs.done", `${count}`]), 2);
    assert.equal(await client.sendCommand(["emit", "disk", "full"]), 1);
  }
  await until(300);
  const expected = [...Array(100).keys()].flatMap((count) => [
    ["jobs.done", `${count}`],
    ["pattern", "jobs.done", `${count}`],
    ["disk", "full"],
  ]);
  assert.deepEqual(got, expected);
  await subscriber.ping();
  await subscriber.unsubscribe("disk");
  assert.equal(await client.sendCommand(["emit", "disk", "full"]), 0);
  // Without names, versions 4 and 5 wait forever while others are left, with Redis as well.
  await subscriber.pUnsubscribe("jobs.*");
  await subscriber.unsubscribe("jobs.done");
  assert.equal(await client.sendCommand(["emit", "jobs.done", "1"]), 0);
  assert.equal(await subscriber.sendCommand(["emit", "jobs.done", "1"]), 0);
  for (const each of [client, subscriber]) {
    await (each.close ?? each.quit).call(each);
  }
}

(async () => {
  await check({});
  if (parseInt(version) >= 5) {
    await check({ RESP: 3 });
  }
  console.log(version, "ok");
})();
