"""Has redis-py give a token in all the ways that it knows: password.py SOCKET TOKEN"""

import sys

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

socket, token = sys.argv[1:]
major = int(redis.__version__.split(".")[0])


def vault(**settings):
    # To it a refused password is a lost connection, which version 8 tries ten times.
    settings = {"retry": Retry(NoBackoff(), 0), "socket_timeout": 20, **settings}
    client = redis.Redis(unix_socket_path=socket, **settings)
    try:
        return client.execute_command("vault")
    finally:
        client.close()


for protocol in [{"protocol": 2}, {"protocol": 3}] if major >= 5 else [{}]:
    assert isinstance(vault(password=token, **protocol), int)
    assert isinstance(vault(username="anybody", password=token, **protocol), int)
    for settings in [{"password": "wrong"}, {"username": "anybody", "password": token + "x"}]:
        try:
            vault(**settings, **protocol)
        except redis.AuthenticationError as error:
            assert token not in str(error), error
        else:
            raise AssertionError("a wrong token was taken")
    try:
        vault(**protocol)
    except redis.ResponseError as error:
        assert str(error).startswith("NOPERM ") or "NoPermission" in type(error).__name__, error
    else:
        raise AssertionError("no token was needed")

assert isinstance(redis.from_url(f"unix://:{token}@{socket}").execute_command("vault"), int)
print(f"redis-py {redis.__version__} ok")
