
from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import os
import re
import shlex
import socket
import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Literal, Mapping, Optional, Sequence, Tuple, Union

import redis

Bytes = Union[bytes, bytearray, memoryview, str]


class Failure(Exception):
    """An error answer: `code`, such as "NOTFOUND", and `message`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


class _Client:
    """Connects on first use. `timeout` limits the seconds of each call. A call is never repeated, except by a stream.

    The environment, where a command asks for it and it is not given, is sent only to daemons of root, of this user, or
    of one of the users `trusted`. For any other daemon that call is a `PermissionError`, before anything is sent: give
    the variables, or `{}`.
    """

    def __init__(
        self,
        path: Union[str, os.PathLike],
        timeout: Optional[float] = None,
        token: Optional[str] = None,
        trusted: Iterable[int] = (),
    ) -> None:
        self._trusted = {0, os.geteuid(), *trusted}
        settings: Dict[str, Any] = dict(
            unix_socket_path=os.fspath(path),
            password=token,
            protocol=2,
            retry=None,
            socket_timeout=timeout,
        )
        self._redis = redis.Redis(**settings)
        # Calls with the environment have connections of their own, so that each of them is checked.
        self._private = redis.Redis(**settings, redis_connect_func=self._check)
        for client in (self._redis, self._private):
            # Answers to names that are Redis' own would be rewritten.
            client.response_callbacks.clear()

    def close(self) -> None:
        self._redis.close()
        self._private.close()

    def _check(self, connection: Any) -> None:
        """Begins a connection, if a trusted user listens. redis-py calls it before it sends anything."""
        try:
            credentials = connection._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3I"))
            _, user, _ = struct.unpack("3I", credentials)
            if user not in self._trusted:
                raise PermissionError(
                    f"the environment was not sent: the daemon belongs to uid {user}; "
                    "name it in `trusted`, or give the variables"
                )
        except BaseException:
            # One that stays open would be used without this check.
            connection.disconnect()
            raise
        connection.on_connect()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _call(
        self, read: Callable[[Any], Any], name: List[str], options: Any, arguments: Any, is_private: bool = False
    ) -> Any:
        words = name[1:] + _words(options, arguments)
        client = self._private if is_private else self._redis
        try:
            answer = client.execute_command(name[0], *words)
        except redis.ResponseError as error:
            raise _failure(error) from None
        return read(answer)

    def _list(
        self, read: Callable[[Any], Any], name: List[str], options: Any, arguments: Any, is_private: bool = False
    ) -> Iterator[Any]:
        return iter(self._call(_items(read), name, options, arguments, is_private))

    def _stream(
        self, read: Callable[[Any], Any], name: List[str], options: Any, arguments: Any, is_private: bool = False
    ) -> Iterator[Any]:
        """Yields the items as they are made. Leaving the loop cancels the command."""
        words = [word if isinstance(word, str) else word.decode() for word in name + _words(options, arguments)]
        call = " ".join(shlex.quote(word) for word in words).encode()
        client = self._private if is_private else self._redis
        messages = client.pubsub(ignore_subscribe_messages=True)
        try:
            messages.psubscribe(call)
            while True:
                message = messages.get_message(timeout=None)
                if message is None:
                    continue
                if message["channel"] == b"item":
                    yield read(message["data"])
                elif message["channel"] == b"end":
                    return
                else:
                    code, _, text = message["data"][1:].decode("utf-8", "replace").partition(" ")
                    raise Failure(code, text)
        except redis.ResponseError as error:
            raise _failure(error) from None
        finally:
            messages.close()


def _failure(error: redis.ResponseError) -> Failure:
    text = str(error)
    for kind, code in (
        ("NoPermissionError", "NOPERM"),
        ("AuthenticationError", "NOAUTH"),
        ("ExecAbortError", "EXECABORT"),
        ("ReadOnlyError", "READONLY"),
        ("BusyLoadingError", "LOADING"),
    ):
        if type(error).__name__ == kind:
            return Failure(code, text)
    code, _, message = text.partition(" ")
    # redis-py removes the code ERR.
    if re.fullmatch("[A-Z][A-Z0-9_]+", code) and message:
        return Failure(code, message)
    return Failure("ERR", text)


# The value of a flag that is set.
_SET = object()


def _words(options: Any, arguments: Any) -> List[Any]:
    words: List[Any] = []
    for flag, value in options:
        if value is None:
            continue
        if value is _SET:
            words.append(flag)
            continue
        is_list = isinstance(value, Iterable) and not isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike))
        for each in value if is_list else [value]:
            words += [flag, _word(each)]
    given = [_word(argument) for argument in arguments if argument is not None]
    # An argument may begin with dashes.
    return words + ["--"] + given if given else words


def _entries(values: Optional[Mapping[Any, Any]], convert: Optional[Callable[[Any], Any]] = None) -> List[bytes]:
    entries = ((key, convert(value) if convert else value) for key, value in (values or {}).items())
    return [b"=".join(_bytes(_word(part)) for part in entry) for entry in entries]


def _environment(values: Optional[Mapping[Any, Any]]) -> List[bytes]:
    if values is None:
        # The token is for the handshake.
        values = {key: value for key, value in os.environb.items() if key != b"DOCKIPC_TOKEN"}
    return _entries(values)


def _absolute(path: Any) -> bytes:
    path = os.fsencode(path)
    # The daemon refuses an empty path.
    return os.path.join(os.getcwdb(), path) if path else path


def _directory(path: Any) -> bytes:
    return os.getcwdb() if path is None else _absolute(path)


def _dumped(value: Any) -> str:
    """Returns the JSON text of a value. That of a `str` is in quotes, also if the `str` is JSON itself."""
    return json.dumps(value, allow_nan=False)


def _last(command: Sequence[Any]) -> List[Any]:
    """Returns the words of another command line, which are behind a second `--`."""
    return ["--", *command]


def _count(command: Sequence[Any]) -> str:
    return str(len(command))


def _word(value: Any) -> Union[bytes, str]:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, os.PathLike):
        return os.fsencode(value)
    if isinstance(value, datetime.timedelta):
        return f"{value // datetime.timedelta(microseconds=1) * 1000}ns"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return str(value)


def _any(answer: Any) -> Any:
    return answer


def _nothing(_: Any) -> None:
    return None


def _bytes(answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else str(answer).encode()


def _text(answer: Any) -> str:
    return _bytes(answer).decode()


def _bool(answer: Any) -> bool:
    return answer in (1, True, b"true", b"1")


def _int(answer: Any) -> int:
    return int(answer)


def _float(answer: Any) -> float:
    return float(answer)


_UNITS = {
    "ns": 0.001, "us": 1, "µs": 1, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9, "d": 8.64e10,
}


def _duration(answer: Any) -> datetime.timedelta:
    parts = re.findall(r"([0-9.]+)([a-zµ]+)", _text(answer))
    return datetime.timedelta(microseconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def _time(answer: Any) -> datetime.datetime:
    date, _, rest = _text(answer).rstrip("Z").partition(".")
    time = datetime.datetime.strptime(date, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    # Python has no nanoseconds.
    return time.replace(microsecond=int((rest + "000000")[:6]))


def _json(answer: Any) -> Any:
    return json.loads(_bytes(answer))


def _optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: None if answer is None else read(answer)


def _items(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: [read(item) for item in answer]


def _columns(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Reads the row of a message, whose columns are escaped."""

    def column(text: bytes) -> bytes:
        return re.sub(rb"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text)

    return lambda answer: read([column(text) for text in answer.split(b"\t")])


_ESCAPES = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def _row(*columns: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: tuple(read(item) for read, item in zip(columns, answer))


def _pairs(key: Callable[[Any], Any], of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(answer: Any) -> Any:
        pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2])
        return [(key(name), of(value)) for name, value in pairs]

    return read


def _map(key: Callable[[Any], Any], of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: dict(_pairs(key, of)(answer))


def _enum(kind: Any) -> Callable[[Any], Any]:
    return lambda answer: kind(_text(answer))


def _struct(kind: Callable[[], Any]) -> Callable[[Any], Any]:
    def read(answer: Any) -> Any:
        values = dict(_pairs(_text, _any)(answer))
        fields = kind()._fields()
        return kind()(**{ident: read(values[name]) for name, ident, read in fields if name in values})

    return read


def _record(fields: Dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def read(answer: Any) -> Any:
        values = dict(_pairs(_text, _any)(answer))
        return {name: read(values.get(name)) for name, read in fields.items()}

    return read


def _union(values: Dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Reads a word, or a word and its value."""

    def read(answer: Any) -> Any:
        if isinstance(answer, bytes):
            return answer.decode()
        ((word, value),) = _pairs(_text, _any)(answer)
        return (word, values.get(word, _any)(value))

    return read
