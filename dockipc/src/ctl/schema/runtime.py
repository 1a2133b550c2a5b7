
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
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Literal,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

import redis

Bytes = Union[bytes, bytearray, memoryview, str]
Path = Union[str, bytes, "os.PathLike[Any]"]

_T = TypeVar("_T")
_K = TypeVar("_K")
_Read = Callable[[Any], _T]
_Write = Callable[[Any], List[bytes]]


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
        path: Union[str, "os.PathLike[str]"],
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
        # redis-py describes its types differently in each version.
        self._redis: Any = redis.Redis(**settings)
        # Calls with the environment have connections of their own, so that each of them is checked.
        settings["redis_connect_func"] = self._check
        self._private: Any = redis.Redis(**settings)
        for client in (self._redis, self._private):
            # Answers to names that are Redis' own would be rewritten.
            client.response_callbacks.clear()

    def close(self) -> None:
        self._redis.close()
        self._private.close()

    def _check(self, connection: Any) -> None:
        """Begins a connection, if a trusted user listens. redis-py calls it before it sends anything."""
        try:
            size = struct.calcsize("3I")
            credentials = connection._sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
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

    def __enter__(self: _T) -> _T:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _call(
        self, read: _Read[_T], name: List[str], options: Any, arguments: Any, is_private: bool = False
    ) -> _T:
        words = name[1:] + _words(options, arguments)
        client = self._private if is_private else self._redis
        try:
            answer = client.execute_command(name[0], *words)
        except redis.ResponseError as error:
            raise _failure(error) from None
        return read(answer)

    def _list(
        self, read: _Read[_T], name: List[str], options: Any, arguments: Any, is_private: bool = False
    ) -> Iterator[_T]:
        return iter(self._call(_items(read), name, options, arguments, is_private))

    def _stream(
        self, read: _Read[_T], name: List[str], options: Any, arguments: Any, is_private: bool = False
    ) -> Iterator[_T]:
        """Yields the items as they are made. Leaving the loop cancels the command."""
        words = [_bytes(word).decode("utf-8", "surrogateescape") for word in name + _words(options, arguments)]
        call = " ".join(shlex.quote(word) for word in words).encode("utf-8", "surrogateescape")
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
        for each in [value] if _is_one(value) else value:
            words += [flag, _word(each)]
    given = [_word(argument) for argument in arguments if argument is not None]
    # An argument may begin with dashes.
    return words + ["--"] + given if given else words


def _is_one(value: Any) -> bool:
    """Returns whether a value is one word, and not several."""
    texts = (str, bytes, bytearray, memoryview, os.PathLike)
    return isinstance(value, texts) or not isinstance(value, Iterable)


def _all(convert: Callable[[Any], Any], values: Iterable[Any]) -> List[Any]:
    return [convert(value) for value in values]


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
    if isinstance(value, str):
        # A path can have bytes that are no UTF-8.
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, datetime.timedelta):
        return f"{value // datetime.timedelta(microseconds=1) * 1000}ns"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return str(value)


def _cell(value: Any) -> List[bytes]:
    """Returns the only column of a value in a row."""
    return [_bytes(_word(value))]


def _json_cell(value: Any) -> List[bytes]:
    return [_dumped(value).encode()]


def _maybe(width: int, write: _Write) -> _Write:
    """A value that is missing has its columns, all of them empty. So has an empty text: the daemon reads it as missing."""
    return lambda value: [b""] * width if value is None else write(value)


def _each(write: _Write) -> _Write:
    return lambda values: [column for value in values for column in write(value)]


def _tuple(*writes: _Write) -> _Write:
    def write(values: Any) -> List[bytes]:
        values = tuple(values)
        if len(values) != len(writes):
            raise ValueError(f"a row has {len(writes)} values, not {len(values)}")
        return [column for write, value in zip(writes, values) for column in write(value)]

    return write


def _mapping(key: _Write, of: _Write) -> _Write:
    def write(values: Any) -> List[bytes]:
        pairs = values.items() if isinstance(values, Mapping) else values
        return [column for name, value in pairs for column in key(name) + of(value)]

    return write


def _members(writes: Dict[str, _Write]) -> _Write:
    """Writes the fields of a variant, a name in front of each."""
    return lambda value: _named([(name, write(value[name])) for name, write in writes.items()])


def _variant(writes: Dict[str, _Write]) -> _Write:
    """Writes a word, or a word and its value."""

    def write(value: Any) -> List[bytes]:
        if isinstance(value, str):
            return _cell(value)
        word, of = value
        return _cell(word) + writes[word](of)

    return write


def _any_row(value: Any) -> List[bytes]:
    return _cell(value) if _is_one(value) else _each(_cell)(value)


def _named(fields: List[Tuple[str, List[bytes]]]) -> List[bytes]:
    return [column for name, columns in fields for column in [name.encode(), *columns]]


def _unnamed(fields: List[Tuple[str, List[bytes]]]) -> List[bytes]:
    return [column for _, columns in fields for column in columns]


def _rows(items: Iterable[Any], write: _Write, header: str = "") -> bytes:
    """Returns a line for each item, with tabs between its columns."""
    if isinstance(items, (str, bytes, bytearray, memoryview)):
        raise TypeError("a text or bytes in place of the items")
    lines = [b"\t".join(_escaped(column) for column in write(item)) for item in items]
    if header:
        lines.insert(0, header.encode())
    return b"".join(line + b"\n" for line in lines)


def _json_lines(items: Iterable[Any]) -> bytes:
    return b"".join(_dumped(item).encode() + b"\n" for item in items)


def _escaped(column: bytes) -> bytes:
    for byte, escape in ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r")):
        column = column.replace(byte, escape)
    return column


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


_UNITS = {"ns": 0.001, "us": 1, "µs": 1, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9, "d": 8.64e10}


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


def _optional(read: _Read[_T]) -> _Read[Optional[_T]]:
    return lambda answer: None if answer is None else read(answer)


def _items(read: _Read[_T]) -> _Read[List[_T]]:
    return lambda answer: [read(item) for item in answer]


def _columns(read: _Read[_T]) -> _Read[_T]:
    """Reads the row of a message, whose columns are escaped."""

    def column(text: bytes) -> bytes:
        return re.sub(rb"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text)

    return lambda answer: read([column(text) for text in answer.split(b"\t")])


_ESCAPES = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def _row(*columns: _Read[Any]) -> _Read[Any]:
    return lambda answer: tuple(read(item) for read, item in zip(columns, answer))


def _pairs(key: _Read[_K], of: _Read[_T]) -> _Read[List[Tuple[_K, _T]]]:
    def read(answer: Any) -> Any:
        pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2])
        return [(key(name), of(value)) for name, value in pairs]

    return read


def _map(key: _Read[_K], of: _Read[_T]) -> _Read[Dict[_K, _T]]:
    return lambda answer: dict(_pairs(key, of)(answer))


def _enum(kind: Callable[[str], _T]) -> _Read[_T]:
    return lambda answer: kind(_text(answer))


def _fields(answer: Any) -> Dict[str, Any]:
    return _map(_text, _any)(answer)


def _record(fields: Dict[str, _Read[Any]]) -> _Read[Dict[str, Any]]:
    """Reads the fields of a variant."""

    def read(answer: Any) -> Dict[str, Any]:
        values = _fields(answer)
        return {name: read(values.get(name)) for name, read in fields.items()}

    return read


def _union(values: Dict[str, _Read[Any]]) -> _Read[Any]:
    """Reads a word, or a word and its value."""

    def read(answer: Any) -> Any:
        if isinstance(answer, bytes):
            return answer.decode()
        ((word, value),) = _pairs(_text, _any)(answer)
        return (word, values.get(word, _any)(value))

    return read
