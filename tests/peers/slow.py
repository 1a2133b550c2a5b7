"""Has redis-py, with its default settings, call a command that lasts: slow.py SOCKET TIME"""

import sys

import redis

client = redis.Redis(unix_socket_path=sys.argv[1])
answer = client.execute_command("slow", sys.argv[2])
assert answer == sys.argv[2].encode(), answer
assert client.ping() is True
print(f"redis-py {redis.__version__} ok")
