// Has a node client, with its default settings, call a command that lasts: slow.cjs SOCKET TIME
"use strict";
const assert = require("node:assert/strict");
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , path, time] = process.argv;
const name = existsSync(join(process.env.NODE_PATH, "ioredis")) ? "ioredis" : "redis";
const { version } = JSON.parse(readFileSync(join(process.env.NODE_PATH, name, "package.json")));

async function main() {
  if (name === "ioredis") {
    const Redis = require("ioredis");
    for (const settings of parseInt(version) >= 6 ? [{}, { protocol: 3 }] : [{}]) {
      const client = new Redis(path, settings);
      assert.equal(await client.call("slow", time), time);
      assert.equal(await client.ping(), "PONG");
    }
  } else {
    const redis = require("redis");
    for (const settings of parseInt(version) >= 5 ? [{}, { RESP: 3 }] : [{}]) {
      const client = redis.createClient({ socket: { path }, ...settings });
      client.on("error", (error) => {
        throw error;
      });
      await client.connect();
      assert.equal(await client.sendCommand(["slow", time]), time);
      assert.equal(await client.ping(), "PONG");
    }
  }
}

main().then(
  () => {
    console.log(`${name} ${version} ok`);
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
