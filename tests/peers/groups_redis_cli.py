"""Types commands of groups at the prompt of redis-cli: groups_redis_cli.py SOCKET -2|-3

The hints and the help come from the subcommands in COMMAND DOCS.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios

socket, protocol = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 200, 0, 0))
    environment = dict(os.environ, TERM="xterm", REDISCLI_HISTFILE="/dev/null")
    os.execvpe("redis-cli", ["redis-cli", "-s", socket, protocol], environment)

seen = ""


def until(wanted):
    """Reads until this was shown; gives up when nothing more comes."""
    global seen
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], 20)
        try:
            chunk = os.read(terminal, 65536) if ready else b""
        except OSError:  # The program has ended.
            chunk = b""
        if not chunk:
            sys.exit(f"waited for {wanted!r}, saw {seen!r}")
        # Without the escapes that place the cursor and choose the colour.
        seen += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", chunk.decode(errors="replace"))
    seen = seen[seen.index(wanted) + len(wanted) :]


def type_in(text):
    """Types at a prompt: what is typed before it is shown, the program discards."""
    os.write(terminal, text.encode())


until("> ")
type_in("group add ")
until("group add name [--size size]")
type_in("ops\r")
until('"ops 0"')
until("> ")
type_in("sum ")
until("sum a b")
type_in("1 2\r")
until("(integer) 3")
until("> ")
type_in("help group add\r")
until("summary: Add a group.")
until("> ")
# A completed name is in capitals.
type_in("group me\t")
until("GROUP MEMBERS")
type_in(" ops\r")
until('1) "ops-a"')
until("> ")
type_in("quit\r")
