"""Subscribes with redis-py in the version that PYTHONPATH chooses: events.py SOCKET"""

import sys

import redis

socket = sys.argv[1]
major = int(redis.__version__.split(".")[0])


def check(**settings):
    client = redis.Redis(unix_socket_path=socket, decode_responses=True, **settings)
    pubsub = client.pubsub()
    pubsub.subscribe("jobs.done", "disk")
    pubsub.psubscribe("job?.*")

    def get():
        message = pubsub.get_message(timeout=20)
        assert message is not None
        return message["type"], message["pattern"], message["channel"], message["data"]

    got = sorted(get() for _ in range(3))
    assert got == [
        ("psubscribe", None, "job?.*", 3),
        ("subscribe", None, "disk", 2),
        ("subscribe", None, "jobs.done", 1),
    ], got
    for count in range(100):
        assert client.execute_command("emit", "jobs.done", count) == 2
        assert client.execute_command("emit", "disk", "full") == 1
        assert get() == ("message", None, "jobs.done", str(count))
        assert get() == ("pmessage", "job?.*", "jobs.done", str(count))
        assert get() == ("message", None, "disk", "full")
    if "protocol" not in settings and major < 8:
        # With RESP3, the default since 8, the answer is an ordinary one.
        pubsub.ping()
        assert get()[0] == "pong"
    assert client.pubsub_channels() == ["disk", "jobs.done"]
    assert dict(client.pubsub_numsub("disk", "none")) == {"disk": 1, "none": 0}
    assert client.pubsub_numpat() == 1

    pubsub.unsubscribe("disk")
    assert get() == ("unsubscribe", None, "disk", 2)
    pubsub.unsubscribe()
    assert get() == ("unsubscribe", None, "jobs.done", 1)
    pubsub.punsubscribe()
    assert get() == ("punsubscribe", None, "job?.*", 0)
    assert client.execute_command("emit", "disk", "full") == 0

    # A refusal is an error, and the connection goes on.
    pubsub.subscribe("Not A Channel")
    try:
        pubsub.get_message(timeout=20)
    except redis.ResponseError as error:
        assert str(error).startswith("UNKNOWN "), error
    else:
        raise AssertionError("no error")
    pubsub.close()


check()
if major >= 5:
    check(protocol=3)
print(redis.__version__, "ok")
