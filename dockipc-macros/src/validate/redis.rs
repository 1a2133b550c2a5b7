//! The names of Redis commands whose words or replies clients convert.

/// Returns whether a Redis client converts what a command with this name sends or answers, or raises. Clients look
/// at the first word, or at both as one.
///
/// Sources: the response callbacks of redis-py 4 to 8 (`_RedisCallbacks…`) and the transformers of
/// ioredis 5 and 6. Names that the protocol reserves are not here.
pub(crate) fn is_converted(name: &str) -> bool {
    let first = name.split(' ').next().unwrap_or_default();
    CONVERTED.split_ascii_whitespace().any(|converted| converted == first)
        || CONVERTED_PAIRS.contains(&name)
}

const CONVERTED: &str = "
    arinfo asking bgrewriteaof bgsave bitcount bitpos blpop brpop bzmpop bzpopmax bzpopmin copy
    decrby del exec exists expire expireat flushall flushdb geoadd geodist geohash geopos georadius
    georadiusbymember geosearch getbit hdel hexists hgetall hincrbyfloat hlen hmset hrandfield hscan
    hset hstrlen incrby incrbyfloat info lastsave lcs linsert llen lpushx lset ltrim move mset
    msetnx object persist pexpire pexpireat pfadd pfcount pfmerge ping psetex randomkey readonly
    readwrite rename renamenx rpushx sadd save scan scard sdiff sdiffstore set setbit setex setnx
    setrange shutdown sinter sinterstore sismember slaveof smembers smove sort srem sscan stralgo
    strlen sunion sunionstore swapdb time unlink unwatch vsim watch xack xautoclaim xclaim xdel xlen
    xpending xrange xread xreadgroup xrevrange xtrim zadd zcard zdiff zincrby zinter zlexcount zmpop
    zmscore zpopmax zpopmin zrandmember zrange zrangebyscore zrank zrem zremrangebylex
    zremrangebyrank zremrangebyscore zrevrange zrevrangebyscore zrevrank zscan zscore zunion
";

/// Names of two words. Those whose first word is reserved are left out.
const CONVERTED_PAIRS: &[&str] = &[
    "cluster addslots",
    "cluster addslotsrange",
    "cluster delslots",
    "cluster delslotsrange",
    "cluster failover",
    "cluster forget",
    "cluster getkeysinslot",
    "cluster info",
    "cluster links",
    "cluster meet",
    "cluster nodes",
    "cluster replicas",
    "cluster replicate",
    "cluster reset",
    "cluster saveconfig",
    "cluster set-config-epoch",
    "cluster setslot",
    "cluster slaves",
    "cluster slots",
    "debug object",
    "function delete",
    "function flush",
    "function list",
    "function restore",
    "himport discard",
    "himport discardall",
    "himport prepare",
    "himport set",
    "hotkeys get",
    "memory purge",
    "memory stats",
    "module list",
    "module load",
    "module unload",
    "script exists",
    "script flush",
    "script kill",
    "script load",
    "sentinel ckquorum",
    "sentinel failover",
    "sentinel flushconfig",
    "sentinel get-master-addr-by-name",
    "sentinel master",
    "sentinel masters",
    "sentinel monitor",
    "sentinel remove",
    "sentinel reset",
    "sentinel sentinels",
    "sentinel set",
    "sentinel slaves",
    "xgroup create",
    "xgroup destroy",
    "xgroup setid",
    "xinfo consumers",
    "xinfo groups",
    "xinfo stream",
];
