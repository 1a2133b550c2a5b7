"""Drives redis-py in the version that PYTHONPATH chooses: redis_py.py SOCKET"""

import sys

import redis

socket = sys.argv[1]
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
try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:
    pass
else:
    for enabled in ["auto", False]:
        client = connect(
            protocol=3, maint_notifications_config=MaintNotificationsConfig(enabled=enabled)
        )
        equal(client.ping(), True)
        client.close()

# Asynchronous, over the same parser in its other form.
import asyncio

import redis.asyncio


async def later():
    client = redis.asyncio.Redis(unix_socket_path=socket)
    equal(await client.execute_command("blob"), BLOB)
    both = await asyncio.gather(
        client.execute_command("nap", "20ms"), client.execute_command("nothing")
    )
    equal(both, [b"OK", None])
    await (client.aclose if major >= 5 else client.close)()


asyncio.run(later())
print(f"redis-py {redis.__version__} ok")
