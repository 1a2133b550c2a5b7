//! The names of Redis commands whose words or replies clients convert.

/// Returns whether a Redis client converts what a command with this name sends or answers, or raises.
///
/// Sources: the response callbacks of redis-py 4 to 8 (`_RedisCallbacks…`) and the transformers of
/// ioredis 5 and 6. Names that the protocol reserves are not here.
pub(crate) fn is_converted(name: &str) -> bool {
    CONVERTED.split_ascii_whitespace().any(|converted| converted == name)
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
