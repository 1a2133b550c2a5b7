"""Drives coredis in the version that PYTHONPATH chooses: coredis_py.py SOCKET MODULE"""

import asyncio
import sys

import coredis

BLOB = bytes(range(256)) + b"\r\n"


def equal(got, wanted):
    assert type(got) is type(wanted) and got == wanted, f"got {got!r}, not {wanted!r}"


def request(client, name, *arguments):
    return client.create_request(name, *arguments, callback=lambda answer, **_: answer)


async def main():
    async with coredis.Redis(unix_socket_path=sys.argv[1]) as client:

        async def ask(*words):
            return await request(client, *words)

        equal(await client.ping(), b"PONG")
        start = await ask(b"add", 0)
        equal(await ask(b"add", 2), start + 2)
        equal(await ask(b"words", "a b", "c"), [b"a b", b"c"])
        equal(await ask(b"words"), [])
        equal(await ask(b"nothing"), None)
        equal(await ask(b"prices"), {b"pear": 2, b"plum": 3})
        equal(await ask(b"half", 3), 1.5)
        equal(await ask(b"even", 2), True)
        equal(await ask(b"blob"), BLOB)
        equal(await ask(b"reverse", BLOB), BLOB[::-1])

        try:
            await ask(b"fetch", "tea")
        except coredis.exceptions.ResponseError as error:
            equal(str(error), "NOTFOUND there is no tea")
        else:
            raise AssertionError("fetch did not fail")

        async with client.pipeline(transaction=False) as pipeline:
            added = [request(pipeline, b"add", 1) for _ in range(100)]
        equal([await one for one in added], list(range(start + 3, start + 103)))

        # A late answer would be taken for the next command's.
        equal(await ask(b"nap", "5s"), b"OK")
        equal(await client.ping(), b"PONG")
        equal(await ask(b"words", "b"), [b"b"])


asyncio.run(main())
print(f"coredis {coredis.__version__} ok")
