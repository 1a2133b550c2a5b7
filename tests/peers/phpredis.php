<?php
// Drives phpredis: phpredis.php SOCKET

function equal($got, $wanted): void {
    if ($got !== $wanted) {
        throw new Exception("got " . var_export($got, true) . ", not " . var_export($wanted, true));
    }
}

$redis = new Redis();
$redis->connect($argv[1]);
$blob = implode(array_map("chr", range(0, 255))) . "\r\n";

equal($redis->ping(), true);
equal($redis->echo("hi"), "hi");
$start = $redis->rawCommand("add", 0);
equal($redis->rawCommand("ADD", "2"), $start + 2);
equal($redis->rawCommand("words", "a b", "c"), ["a b", "c"]);
equal($redis->rawCommand("words"), []);
equal($redis->rawCommand("prices"), ["pear", 2, "plum", 3]);
equal($redis->rawCommand("blob"), $blob);
equal($redis->rawCommand("reverse", $blob), strrev($blob));

try {
    $redis->rawCommand("fetch", "tea");
    throw new Exception("fetch did not fail");
} catch (RedisException $error) {
    equal($error->getMessage(), "NOTFOUND there is no tea");
}
// An error with the code ERR is `false` instead, the same as an absent value.
$redis->clearLastError();
equal($redis->rawCommand("nothing"), false);
equal($redis->getLastError(), null);
equal($redis->rawCommand("spill"), false);
equal($redis->getLastError(), "ERR the pot is empty");

$pipeline = $redis->pipeline();
for ($i = 0; $i < 100; $i++) {
    $pipeline->rawCommand("add", 1);
}
equal($pipeline->exec(), range($start + 3, $start + 102));

// A late answer would be taken for the next command's.
equal($redis->rawCommand("nap", "5s"), true);
equal($redis->ping(), true);
equal($redis->rawCommand("words", "b"), ["b"]);
$redis->close();
echo "phpredis " . phpversion("redis") . " ok\n";
