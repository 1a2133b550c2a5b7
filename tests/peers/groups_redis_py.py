"""Calls commands of groups with the version of redis-py that PYTHONPATH chooses: groups_redis_py.py SOCKET"""

import sys

import redis

settings = [{}] if int(redis.__version__.split(".")[0]) < 5 else [{"protocol": 2}, {"protocol": 3}]
for setting in settings:
    client = redis.Redis(unix_socket_path=sys.argv[1], decode_responses=True, **setting)
    # The second form is split by the client.
    assert client.execute_command("group", "add", "ops") == "ops 0"
    assert client.execute_command("GROUP ADD", "ops", "--size=2") == "ops 2"
    assert client.execute_command("group members", "x") == ["x-a", "x-b"]
    with client.pipeline(transaction=True) as pipeline:
        pipeline.execute_command("group add", "a").execute_command("group", "raw", "b")
        assert pipeline.execute() == ["a 0", "group raw:b"]
    try:
        client.execute_command("group", "ad")
    except redis.ResponseError as error:
        assert str(error).startswith('UNKNOWN no command "group ad"; did you mean group add?'), error
    else:
        raise AssertionError("an unknown command did not fail")
    # redis-py applies the callback of COMMAND to every form of it.
    commands = client.command()
    assert commands["group"]["arity"] == -2, commands
    if "subcommands" in commands["group"]:
        names = [str(row[0]) for row in commands["group"]["subcommands"]]
        assert "group|add" in names, names
    assert client.command_count() == len(commands)
