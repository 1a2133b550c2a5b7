"""Drives redis-py, or its fork valkey-py, in the version that PYTHONPATH chooses: redis_py.py SOCKET MODULE"""

import importlib
import sys

socket, module = sys.argv[1:]
redis = importlib.import_module(module)
major = int(redis.__version__.split(".")[0])
BLOB = bytes(range(256)) + b"\r\n"


def equal(got, wanted):
    assert type(got) is type(wanted) and got == wanted, f"got {got!r}, not {wanted!r}"


def check(client, resp3, text):
    """All kinds of answers; `text` makes of bytes what this client makes of them."""
    ask = client.execute_command
    start = ask("add", 0)
    equal(ask("add", 2), start + 2)
    equal(ask("ADD", "-2"), start)
    equal(ask("words", "a b", "c"), [text(b"a b"), text(b"c")])
    equal(ask("words"), [])
    equal(ask("nothing"), None)
    equal(ask("nap", "20ms"), text(b"OK"))
    if resp3:
        equal(ask("prices"), {text(b"pear"): 2, text(b"plum"): 3})
        equal(ask("half", 3), 1.5)
        equal(ask("even", 2), True)
    else:
        equal(ask("prices"), [text(b"pear"), 2, text(b"plum"), 3])
        equal(ask("half", 3), text(b"1.5"))
        equal(ask("even", 2), 1)
    equal(ask("big"), text(b"18446744073709551615"))

    for words, message in [
        (("fetch", "tea"), "NOTFOUND there is no tea"),
        (("ad", 1), "UNKNOWN "),
        (("add", "x"), "USAGE "),
    ]:
        try:
            ask(*words)
        except redis.ResponseError as error:
            assert str(error).startswith(message), error
        else:
            raise AssertionError(f"{words} did not fail")

    with client.pipeline(transaction=False) as pipeline:
        for _ in range(1000):
            pipeline.execute_command("add", 1)
        equal(pipeline.execute(), list(range(start + 1, start + 1001)))
    with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("add", 0).execute_command("fetch", "tea")
        pipeline.execute_command("add", 0)
        first, error, last = pipeline.execute(raise_on_error=False)
        equal(first, start + 1000)
        assert isinstance(error, redis.ResponseError), error
        equal(last, first)

    # MULTI and EXEC.
    with client.pipeline() as pipeline:
        pipeline.execute_command("add", 1).execute_command("fetch", "tea")
        pipeline.execute_command("prices").execute_command("add", 1)
        first, error, prices, last = pipeline.execute(raise_on_error=False)
        equal([first, last], [start + 1001, start + 1002])
        assert isinstance(error, redis.ResponseError), error
        equal(prices, ask("prices"))
    with client.pipeline() as pipeline:
        pipeline.execute_command("add", 1).execute_command("add", "x")
        try:
            pipeline.execute()
        except redis.ResponseError as error:
            assert "USAGE bad value for n" in str(error), error
        else:
            raise AssertionError("a refused command ran")
    equal(ask("add", 0), start + 1002)
    with client.pipeline() as pipeline:
        try:
            pipeline.watch("key")
        except redis.ResponseError as error:
            assert "WATCH is not supported" in str(error), error
        else:
            raise AssertionError("WATCH did not fail")
    # By hand, up to the error that a client knows by its name.
    aborted = importlib.import_module(f"{module}.exceptions").ExecAbortError
    single = client.client()
    equal(single.execute_command("MULTI"), text(b"OK"))
    equal(single.execute_command("add", 1), text(b"QUEUED"))
    equal(single.execute_command("DISCARD"), text(b"OK"))
    single.execute_command("MULTI")
    try:
        single.execute_command("ad", 1)
    except redis.ResponseError:
        pass
    try:
        single.execute_command("EXEC")
    except aborted:
        pass
    else:
        raise AssertionError("EXEC did not fail")
    single.close()
    equal(ask("add", 0), start + 1002)

    equal(client.ping(), True)
    equal(client.echo("hi"), text(b"hi"))
    equal(client.client_setname("me"), True)
    assert isinstance(client.client_id(), int)
    assert client.info()["loading"] == 0
    client.close()


def text_of(settings):
    return (lambda b: b.decode()) if settings.get("decode_responses") else (lambda b: b)


def connect(**settings):
    return redis.Redis(unix_socket_path=socket, socket_timeout=20, **settings)


for decode in [False, True]:
    for protocol in [2, 3] if major >= 5 else [2]:
        settings = {"decode_responses": decode}
        if major >= 5:
            settings["protocol"] = protocol
        if not decode:
            # Binary answers and arguments.
            client = connect(**settings)
            equal(client.execute_command("blob"), BLOB)
            equal(client.execute_command("reverse", BLOB), BLOB[::-1])
            client.close()
        check(connect(**settings), protocol == 3, text_of(settings))

# All that is asked for while connecting, and a PING before each command.
client = connect(client_name="me", health_check_interval=0.000001)
equal(client.client_getname(), "me")
equal(client.execute_command("nothing"), None)
client.close()

# As a newcomer connects, with default settings. From 8 on that is RESP3.
client = redis.Redis(unix_socket_path=socket)
check(client, major >= 8, lambda b: b)
client = redis.from_url(f"unix://{socket}")
check(client, major >= 8, lambda b: b)

# A cache of answers, for which it sends CLIENT TRACKING ON and reads INFO.
try:
    from redis.cache import CacheConfig
except ImportError:
    pass
else:
    client = connect(protocol=3, cache_config=CacheConfig())
    check(client, True, lambda b: b)
    assert client.info("replication")["role"] == "master"

# The maintenance notifications of newer versions, asked for instead of tried.
if module == "redis" and major >= 7:
    from redis.maint_notifications import MaintNotificationsConfig

    for enabled in ["auto", False]:
        client = connect(
            protocol=3, maint_notifications_config=MaintNotificationsConfig(enabled=enabled)
        )
        equal(client.ping(), True)
        client.close()

# A late answer would be taken for the next command's.
client = redis.Redis(unix_socket_path=socket)
equal(client.execute_command("nap", "5s"), b"OK")
equal(client.ping(), True)
equal(client.execute_command("words", "b"), [b"b"])
client.close()

# Asynchronous, over the same parser in its other form.
import asyncio

redis_asyncio = importlib.import_module(f"{module}.asyncio")


async def later():
    client = redis_asyncio.Redis(unix_socket_path=socket)
    equal(await client.execute_command("blob"), BLOB)
    both = await asyncio.gather(
        client.execute_command("nap", "20ms"), client.execute_command("nothing")
    )
    equal(both, [b"OK", None])
    async with client.pipeline() as pipeline:
        pipeline.execute_command("nothing").execute_command("nap", "0s")
        equal(await pipeline.execute(), [None, b"OK"])
    await (client.aclose if major >= 5 else client.close)()


asyncio.run(later())
print(f"{module} for Python {redis.__version__} ok")
