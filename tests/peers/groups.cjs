// Calls commands of groups with the client and the version that NODE_PATH chooses: groups.cjs SOCKET MODULE
"use strict";
const assert = require("node:assert/strict");
const { once } = require("node:events");

const [, , path, name] = process.argv;
const client = require(name);

async function check(ask, together) {
  assert.equal(await ask("group", "add", "ops"), "ops 0");
  assert.equal(await ask("GROUP", "ADD", "ops", "--size", "3"), "ops 3");
  assert.equal(await ask("group add", "ops"), "ops 0");
  assert.deepEqual(await ask("group", "members", "x"), ["x-a", "x-b"]);
  await assert.rejects(ask("group", "ad"), /UNKNOWN no command "group ad"; did you mean group add\?/);
  assert.deepEqual(await together(["group", "add", "a"], ["group", "raw", "b"]), ["a 0", "group raw:b"]);
}

async function node_redis(settings) {
  const redis = client.createClient({ socket: { path, reconnectStrategy: false }, ...settings });
  await redis.connect();
  const add = (multi, words) => multi.addCommand(words);
  const together = (...commands) => commands.reduce(add, redis.multi()).exec();
  await check((...words) => redis.sendCommand(words), together);
  await (redis.destroy ?? redis.disconnect).call(redis);
}

async function ioredis() {
  const redis = new client({ path, retryStrategy: null });
  await once(redis, "ready");
  const add = (multi, words) => multi.call(...words);
  const together = async (...commands) => {
    const answers = await commands.reduce(add, redis.multi()).exec();
    return answers.map(([error, answer]) => error ?? answer);
  };
  await check((...words) => redis.call(...words), together);
  redis.disconnect();
}

async function main() {
  if (name !== "redis") return ioredis();
  await node_redis({});
  await node_redis({ RESP: 3 });
}

main();
