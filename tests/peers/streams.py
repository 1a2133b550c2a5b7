"""Subscribes to streams with redis-py in the version that PYTHONPATH chooses: streams.py SOCKET"""

import asyncio
import sys
import threading

import redis
import redis.asyncio

socket = sys.argv[1]
major = int(redis.__version__.split(".")[0])
REFUSED = {
    "no such": "UNKNOWN ",
    "take": "USAGE ",
    # redis-py removes NOPERM, whose errors have a class of their own.
    "closed": "permission denied",
    "runs take": "USAGE ",
    "count": "USAGE ",
}


def fault(kind):
    print(kind, flush=True)
    assert sys.stdin.readline() == "done\n"


def data(message):
    assert message is not None
    return message["type"], message["pattern"], message["channel"], message["data"]


def item(call, value):
    return "pmessage", call, "item", str(value)


ENDS = [
    ("count 3", [item("count 3", n) for n in range(3)] + [("pmessage", "count 3", "end", "+END")]),
    (
        "break-after 2",
        [item("break-after 2", n) for n in range(2)]
        + [("pmessage", "break-after 2", "error", "-BROKEN in the end")],
    ),
]
SHORT = [("count 2", ["0", "1", "+END"]), ("break-after 1", ["0", "-BROKEN in the end"])]


def settings(protocol, repeats=False):
    return dict(
        unix_socket_path=socket,
        decode_responses=True,
        **({"protocol": protocol} if protocol else {}),
        # Without this it sends commands again whose connection was lost. Subscriptions do without.
        **({"retry": None} if major >= 5 and not repeats else {}),
    )


def check(protocol, repeats):
    client = redis.Redis(**settings(protocol))
    subscriber = redis.Redis(**settings(protocol, repeats))
    pubsub = subscriber.pubsub()

    def get():
        return data(pubsub.get_message(timeout=30))

    for call, messages in ENDS:
        pubsub.psubscribe(call)
        assert get() == ("psubscribe", None, call, 1)
        for message in messages:
            got = get()
            assert got == message, (got, message)
        pubsub.punsubscribe(call)
        assert get()[0] == "punsubscribe"
    for call, messages in SHORT:
        pubsub.subscribe(call)
        assert get() == ("subscribe", None, call, 1)
        for message in messages:
            assert get() == ("message", None, call, message)
        pubsub.unsubscribe(call)
        assert get()[0] == "unsubscribe"

    # A refusal is an error, and the connection goes on.
    for call, code in REFUSED.items():
        for subscribe in pubsub.subscribe, pubsub.psubscribe:
            subscribe("count 1", call)
            try:
                get()
            except redis.ResponseError as error:
                assert str(error).startswith(code), error
            else:
                raise AssertionError("no error")
        # redis-py keeps a refused name, and would subscribe to it again together with the others.
        for unsubscribe in pubsub.unsubscribe, pubsub.punsubscribe:
            unsubscribe("count 1", call)
            assert (get()[0], get()[0]) == (unsubscribe.__name__,) * 2
    pubsub.subscribe("jobs")
    assert get()[0] == "subscribe"
    pubsub.psubscribe("count 2000")
    assert get()[0] == "psubscribe"
    for n in range(200):
        assert client.execute_command("emit", "jobs", n) == 1
    got = [get() for _ in range(2201)]
    events = [message[3] for message in got if message[0] == "message"]
    assert events == [str(n) for n in range(200)], events
    items = [message for message in got if message[0] == "pmessage"]
    assert items == [item("count 2000", n) for n in range(2000)] + [
        ("pmessage", "count 2000", "end", "+END")
    ]
    pubsub.punsubscribe("count 2000")
    assert get()[0] == "punsubscribe"

    run = client.execute_command("runs", "follow") + 1
    pubsub.psubscribe("follow")
    assert get()[0] == "psubscribe"
    assert get() == item("follow", run)
    for kind in "cut", "restart":
        hung = []
        before = client.execute_command("runs", "hang"), client.execute_command("runs", "hit")

        # A daemon that stops answers first, so nothing is sent again.
        def hang():
            try:
                redis.Redis(**settings(protocol, kind == "restart")).execute_command("hang")
            except redis.RedisError as error:
                hung.append(error)

        calling = threading.Thread(target=hang)
        calling.start()
        while redis.Redis(**settings(protocol)).execute_command("runs", "hang") == before[0]:
            pass
        fault(kind)
        calling.join(30)
        assert len(hung) == 1
        # It subscribes again by itself.
        names = set()
        while True:
            try:
                got = get()
            except redis.ConnectionError as error:
                names.add(type(error).__name__)
                continue
            if got[0] == "pmessage" and got[2] == "item":
                break
            if got[2] == "error":
                assert kind == "restart" and got[3].startswith("-SHUTDOWN "), got
        assert got == item("follow", run + 1), got
        run += 1
        sent = 0
        for n in range(20):
            sent += 1
            try:
                client.execute_command("hit")
            except redis.ConnectionError:
                pass
        assert client.execute_command("runs", "hit") - before[1] <= sent
        assert client.execute_command("emit", "jobs", kind) == 1
        while (got := get())[0] != "message":
            assert got[0] == "subscribe"
        assert got == ("message", None, "jobs", kind)
        assert client.execute_command("runs", "hang") == before[0] + 1
    assert client.execute_command("runs", "follow") == run

    # A value that can't be read is the end of the stream.
    pubsub.psubscribe("count many")
    assert get()[0] == "psubscribe"
    got = get()
    assert got[2] == "error" and got[3].startswith("-USAGE "), got
    pubsub.close()


def check_refused_name():
    """redis-py keeps a refused name, and subscribes to it again with all others, which is refused whole."""
    pubsub = redis.Redis(**settings(None)).pubsub()

    def get():
        return data(pubsub.get_message(timeout=30))

    pubsub.subscribe("jobs")
    assert get() == ("subscribe", None, "jobs", 1)
    pubsub.subscribe("take")
    refusals = lost = 0
    while lost == 0 or refusals < 2:
        try:
            get()
        except redis.ResponseError as error:
            assert str(error).startswith("USAGE "), error
            refusals += 1
            if refusals == 1:
                fault("cut")
        except redis.ConnectionError:
            lost += 1
    assert redis.Redis(**settings(None)).execute_command("emit", "jobs", 1) == 0
    pubsub.close()


async def check_async(protocol, repeats):
    client = redis.asyncio.Redis(**settings(protocol))
    subscriber = redis.asyncio.Redis(**settings(protocol, repeats))
    pubsub = subscriber.pubsub()

    async def get():
        return data(await pubsub.get_message(timeout=30))

    for call, messages in ENDS:
        await pubsub.psubscribe(call)
        assert await get() == ("psubscribe", None, call, 1)
        for message in messages:
            assert await get() == message
        await pubsub.punsubscribe(call)
        assert (await get())[0] == "punsubscribe"
    for call, messages in SHORT:
        await pubsub.subscribe(call)
        assert await get() == ("subscribe", None, call, 1)
        for message in messages:
            assert await get() == ("message", None, call, message)
        await pubsub.unsubscribe(call)
        assert (await get())[0] == "unsubscribe"
    for call, code in REFUSED.items():
        for subscribe in pubsub.subscribe, pubsub.psubscribe:
            await subscribe("count 1", call)
            try:
                await get()
            except redis.ResponseError as error:
                assert str(error).startswith(code), error
            else:
                raise AssertionError("no error")
        for unsubscribe in pubsub.unsubscribe, pubsub.punsubscribe:
            await unsubscribe("count 1", call)
            assert (await get())[0] == (await get())[0] == unsubscribe.__name__
    await pubsub.subscribe("jobs")
    assert (await get())[0] == "subscribe"
    run = await client.execute_command("runs", "follow") + 1
    await pubsub.psubscribe("follow")
    assert (await get())[0] == "psubscribe"
    assert await get() == item("follow", run)
    for kind in "cut", "restart":
        before = await client.execute_command("runs", "hang")
        # Not from the pool, whose connections may be lost. A daemon that stops answers first, so nothing is sent
        # again.
        caller = redis.asyncio.Redis(**settings(protocol, kind == "restart"))
        hang = asyncio.ensure_future(caller.execute_command("hang"))
        while await client.execute_command("runs", "hang") == before:
            pass
        fault(kind)
        try:
            await hang
        except redis.RedisError:
            pass
        else:
            raise AssertionError("no error")
        while True:
            try:
                got = await get()
            except redis.ConnectionError:
                continue
            if got[0] == "pmessage" and got[2] == "item":
                break
            if got[2] == "error":
                assert kind == "restart" and got[3].startswith("-SHUTDOWN "), got
        assert got == item("follow", run + 1), got
        run += 1
        # The pool may have a connection that was lost.
        for _ in range(20):
            try:
                await client.execute_command("hit")
            except redis.ConnectionError:
                pass
        assert await client.execute_command("emit", "jobs", kind) == 1
        while (got := await get())[0] != "message":
            assert got[0] == "subscribe"
        assert got == ("message", None, "jobs", kind)
        assert await client.execute_command("runs", "hang") == before + 1
    assert await client.execute_command("runs", "follow") == run
    await (pubsub.aclose() if hasattr(pubsub, "aclose") else pubsub.close())


for protocol in [None] if major < 5 else [2, 3]:
    for repeats in [False] if major < 5 else [False, True]:
        check(protocol, repeats)
        asyncio.run(check_async(protocol, repeats))
check_refused_name()
print(redis.__version__, "ok")
