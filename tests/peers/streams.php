<?php
// Subscribes to streams with phpredis: streams.php SOCKET

function equal($got, $wanted): void {
    if ($got !== $wanted) {
        throw new Exception("got " . var_export($got, true) . ", not " . var_export($wanted, true));
    }
}

function fault(string $kind): void {
    echo "$kind\n";
    equal(fgets(STDIN), "done\n");
}

function connect(): Redis {
    global $argv;
    $redis = new Redis();
    $redis->connect($argv[1]);
    $redis->setOption(Redis::OPT_READ_TIMEOUT, 30);
    // With repeats it connects again after a lost connection, doesn't subscribe, and waits for nothing.
    $redis->setOption(Redis::OPT_MAX_RETRIES, 0);
    return $redis;
}

// Subscribes on a connection of its own, and returns what comes until `isLast` is true.
function messages(string $subscribe, array $names, callable $isLast): array {
    $redis = connect();
    $got = [];
    try {
        $redis->$subscribe($names, function ($redis, ...$message) use (&$got, $isLast) {
            $got[] = $message;
            if ($isLast($message, count($got))) {
                // Its loop ends only with the connection.
                $redis->close();
            }
        });
    } catch (RedisException $error) {
    }
    return $got;
}

foreach ([["count 3", 3, "end", "+END"], ["break-after 2", 2, "error", "-BROKEN in the end"]] as [$call, $count, $end, $last]) {
    $got = messages("psubscribe", [$call], fn($message) => $message[1] !== "item");
    $items = array_map(fn($n) => [$call, "item", (string) $n], range(0, $count - 1));
    equal($got, [...$items, [$call, $end, $last]]);
}
foreach (["count 2" => ["0", "1", "+END"], "break-after 1" => ["0", "-BROKEN in the end"]] as $call => $texts) {
    $got = messages("subscribe", [$call], fn($message, $count) => $count === count($texts));
    equal($got, array_map(fn($text) => [$call, $text], $texts));
}

$client = connect();
foreach (["no such", "take", "closed", "runs take", "count"] as $call) {
    foreach (["subscribe", "psubscribe"] as $subscribe) {
        // phpredis swallows the refusal, and answers null.
        $redis = connect();
        equal($redis->$subscribe(["count 1", $call], function () {
            throw new Exception("a message");
        }), null);
        equal($redis->rawCommand("runs", "take"), 0);
    }
}

$got = [];
$redis = connect();
$sent = 0;
try {
    $redis->subscribe(["jobs", "count 2000"], function ($redis, $channel, $text) use (&$got, &$sent, $client) {
        $got[$channel][] = $text;
        if ($sent < 200) {
            equal($client->rawCommand("emit", "jobs", (string) $sent++), 1);
        }
        if (count($got["jobs"] ?? []) === 200 && count($got["count 2000"] ?? []) === 2001) {
            $redis->close();
        }
    });
} catch (RedisException $error) {
}
equal($got["jobs"], array_map("strval", range(0, 199)));
equal($got["count 2000"], [...array_map("strval", range(0, 1999)), "+END"]);

// It does not subscribe again by itself: `psubscribe` throws.
foreach (["cut", "restart"] as $kind) {
    $run = $client->rawCommand("runs", "follow");
    $stopped = null;
    $thrown = false;
    try {
        connect()->psubscribe(["follow", "jobs"], function ($redis, $pattern, $channel, $text) use ($kind, $run, &$stopped) {
            if ($channel === "item") {
                equal($text, (string) ($run + 1));
                fault($kind);
            } else {
                $stopped = $text;
            }
        });
    } catch (RedisException $error) {
        $thrown = true;
    }
    equal($thrown, true);
    equal($stopped === null || ($kind === "restart" && str_starts_with($stopped, "-SHUTDOWN ")), true);
    $hits = connect()->rawCommand("runs", "hit");
    for ($sent = 0; $sent < 20; $sent++) {
        try {
            $client->rawCommand("hit");
        } catch (RedisException $error) {
            $client = connect();
        }
    }
    equal($client->rawCommand("runs", "hit") - $hits <= 20, true);
    equal($client->rawCommand("runs", "follow"), $run + 1);
    $redis = connect();
    $got = null;
    try {
        $redis->subscribe(["count 1", "jobs"], function ($redis, $channel, $text) use (&$got, $client, $kind) {
            if ($channel !== "jobs") {
                $text === "0" && equal($client->rawCommand("emit", "jobs", $kind), 1);
            } else {
                $got = $text;
                $redis->close();
            }
        });
    } catch (RedisException $error) {
    }
    equal($got, $kind);
}
echo "phpredis " . phpversion("redis") . " ok\n";
