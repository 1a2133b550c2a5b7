// Has a node client give a token in all the ways that it knows: password.cjs SOCKET TOKEN
"use strict";
const assert = require("node:assert/strict");
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const [, , path, token] = process.argv;
const name = existsSync(join(process.env.NODE_PATH, "ioredis")) ? "ioredis" : "redis";
const { version } = JSON.parse(readFileSync(join(process.env.NODE_PATH, name, "package.json")));

async function vault(settings) {
  if (name === "ioredis") {
    const Redis = require("ioredis");
    const client = new Redis(path, { retryStrategy: null, ...settings });
    // It tells a refused password here, and goes on without one.
    const refused = new Promise((_, reject) => client.on("error", reject));
    refused.catch(() => {});
    const answer = client.call("vault");
    answer.catch(() => {});
    try {
      return await Promise.race([refused, answer]);
    } finally {
      client.disconnect();
    }
  }
  const redis = require("redis");
  const socket = { path, reconnectStrategy: false };
  const client = redis.createClient({ socket, ...settings });
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.sendCommand(["vault"]);
  } finally {
    await client.disconnect();
  }
}

async function main() {
  const protocols = name === "redis" && parseInt(version) >= 5 ? [{ RESP: 2 }, { RESP: 3 }] : [{}];
  for (const protocol of protocols) {
    assert.equal(typeof (await vault({ password: token, ...protocol })), "number");
    const user = { username: "anybody", password: token, ...protocol };
    assert.equal(typeof (await vault(user)), "number");
    await assert.rejects(vault({ ...user, password: "wrong" }), /WRONGPASS|NOPERM/);
    await assert.rejects(vault(protocol), /NOPERM/);
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
