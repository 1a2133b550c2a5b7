"""Types at the prompt of redis-cli as a person does: redis_cli_prompt.py SOCKET -2|-3

The hints and the help that it shows must be ours, which it makes from COMMAND DOCS.
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
    # Of a terminal without a size redis-cli asks for it, and waits for the answer.
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


# The hint of an argument comes behind the cursor.
until("> ")
type_in("add ")
until("add n")
type_in("2\r")
until("(integer) 2")
until("> ")
type_in("help add\r")
until("summary: Add `n` to the counter and answer with the new total.")
until("> ")
type_in("help @daemon\r")
until("Whether a number is even.")
until("> ")
# A completed name is in capitals.
type_in("ev\t")
until("EVEN")
type_in(" 4\r")
until({"-2": "(integer) 1", "-3": "(true)"}[protocol])
until("> ")
type_in("fetch tea\r")
until("(error) NOTFOUND there is no tea")
until("> ")
# A transaction.
type_in("MULTI\r")
until("(TX)> ")
for _ in range(2):
    type_in("add 1\r")
    until("QUEUED")
    until("> ")
type_in("EXEC\r")
until("1) (integer) 3")
until("2) (integer) 4")
until("> ")
type_in("quit\r")
while True:
    try:
        if not os.read(terminal, 65536):
            break
    except OSError:
        break
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
