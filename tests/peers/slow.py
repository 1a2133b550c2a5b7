"""Has redis-py or valkey-py call a command: slow.py SOCKET MODULE SETTINGS WORD... The settings are JSON."""

import importlib
import json
import sys

_, path, name, settings, *words = sys.argv
module = importlib.import_module(name)
client = module.Redis(unix_socket_path=path, **json.loads(settings))
try:
    print(client.execute_command(*words).decode())
except module.exceptions.TimeoutError:
    print("timed out")
else:
    assert client.ping() is True
