"""Checks what redis-py does by itself, in the version that PYTHONPATH chooses: redis_py_acts.py SOCKET CHECK"""

import sys

import redis

socket, check = sys.argv[1:]
major = int(redis.__version__.split(".")[0])
calls = 0
protocols = [{"protocol": 2}, {"protocol": 3}] if major >= 5 else [{}]


def codes(**settings):
    """Codes and texts after which redis-py takes the connection for lost, or the answer for broken."""
    global calls
    client = redis.Redis(unix_socket_path=socket, **settings)
    acted_on = "LOADING loading READONLY MOVED ASK NOAUTH WRONGPASS MASTERDOWN".split()
    texts = [(code, "1 x") for code in acted_on]
    texts += [("ERR", "max number of clients reached"), ("ERR", "invalid password")]
    texts += [("ERR", "problem with LDAP service"), ("TRYAGAIN", "")]
    for code, message in texts:
        for place in ["alone", "list"]:
            calls += 1
            try:
                [error] = client.execute_command("refuse", code, message, place)
            except redis.ResponseError as raised:
                error = raised
            assert type(error) is redis.ResponseError, repr(error)
            wanted = f"APP_{code.upper()} {message}".strip()
            assert str(error) == wanted, f"{error}, not {wanted}"


def maps(**settings):
    client = redis.Redis(unix_socket_path=socket, **settings)
    ask = client.execute_command
    if settings.get("protocol") == 3:
        assert ask("distances") == [[[1, 2], b"ab"], [[3, 4], b""]]
        assert ask("nested") == {b"k": [[[1, 2], [[], [3]]]]}, ask("nested")
    else:
        assert ask("distances") == [[1, 2], b"ab", [3, 4], b""]
    assert ask("edges") == [[1, 2], [3, 4]], ask("edges")


if check == "codes":
    # Also with the settings of a newcomer, which repeat after a lost connection.
    for settings in protocols if major < 8 else [{}, {"protocol": 2}]:
        codes(**settings)
else:
    for settings in protocols:
        maps(**settings)
print(f"redis-py {redis.__version__} {calls} calls ok")
