"""Calls a daemon with the module that `dockipc schema --python` printed: typed.py SOCKET"""

import ast
import datetime
import os
import pathlib
import sys
import types

import typed_client
from typed_client import Failure, Folder, Mood, S

with S(sys.argv[1], timeout=30) as hits:
    wait = datetime.timedelta(seconds=1.5)
    at = datetime.datetime(2026, 1, 31, 23, 59, 59, 5, datetime.timezone.utc)
    kinds = hits.kinds(
        "--text",
        b"\r\n\0\xff",
        pathlib.Path("/tmp"),
        True,
        "ß",
        wait,
        at,
        "::1",
        -1.5,
        -7,
        big=2**128 - 1,
        mood=Mood.SO_SO,
        type="x",
    )
    assert kinds == typed_client.Kinds(
        text="--text",
        bytes_=b"\r\n\0\xff",
        path=b"/tmp",
        truth=True,
        sign="ß",
        wait=wait,
        at=at,
        address="::1",
        number=-1.5,
        small=-7,
        big=2**128 - 1,
        mood=Mood.SO_SO,
        none=None,
        type="x",
        row=(1, "one"),
        map={"k": b"\xff"},
        moods={Mood.N7TH: 7},
        set=[1, 2],
        optional=[-1, None],
    ), kinds
    assert hits.class_("a b", while_=3, delete=True) == "a b Some(3) true"
    assert hits.class_("--") == "-- None false"
    assert hits.job_list_all("a", "--b", limits=[1, 2]) == (["a", "--b"], [1, 2])
    assert hits.run("a", "--", "--b", command=["--", b"-c\xff", ""]) == (["a", "--", "--b"], [b"--", b"-c\xff", b""])
    assert hits.run("--") == (["--"], [])
    assert hits.environment({"-l": -7}, env={"-k": b"a=\xff"}) == ({"-k": b"a=\xff"}, {"-l": -7})
    assert hits.environment() == ({}, {})
    assert hits.wait({"a": wait, "b": wait}) == wait * 2
    assert hits.upload(None, b"--") == (None, 2)
    assert hits.upload("--", b"") == ("--", 0)
    assert hits.open("/x") == (b"/x", False)
    os.environ["DOCKIPC_TOKEN"] = "sesame"
    here = os.getcwdb()
    environment = {os.fsdecode(key): value for key, value in os.environb.items() if key != b"DOCKIPC_TOKEN"}
    assert hits.open("x", under=pathlib.Path("y")) == (here + b"/x", True)
    assert hits.start() == ([], [], here, environment)
    given = hits.start("a", b"/b", lists=["c"], cwd="d", env={"K": "v"})
    assert given == ([here + b"/a", b"/b"], [here + b"/c"], here + b"/d", {"K": b"v"}), given
    assert hits.start(env={})[3] == {}
    assert "PATH=" + os.environ["PATH"] in list(hits.variables())
    note = {"title": "x", "colors": ["red"], "parent": None}
    edited = hits.edit(note, "{}", None, [1], extra={"a": 1.5}, others=[None, "x"], keys={"k": ["v"]})
    assert edited == typed_client.Edited(
        note=note, rest=["{}", None, [1]], extra={"a": 1.5}, others=[None, "x"], keys={"k": '["v"]'}
    ), edited
    assert hits.edit(note).extra is None
    for wrong in (float("nan"), b"x"):
        try:
            hits.edit(note, wrong)
        except (ValueError, TypeError):
            pass
        else:
            raise AssertionError("no JSON")
    assert hits.say("two  blanks") == "two  blanks"
    assert hits.save("sesame") == "6"
    assert hits.size(b"\0" * 300_000) == 300_000
    assert hits.take_pairs([(1, Mood.GOOD), (2, "7th")]) == [1, 4]
    assert hits.take_pairs(iter([])) == []
    assert "folders: a line for each item, Folder" in hits.take_folders.__doc__
    odd = "a\tb\nc\r\\t\\\\\r\n"
    part = typed_client.Part(
        name=odd, bytes_=odd.encode() + b"\xff\0", wait=wait, place=(7, "\t"), shape=("circle", -1.5), tags=["", odd, "\\"]
    )
    empty = typed_client.Part(name="", bytes_=b"", shape="nothing", tags=[])
    line = typed_client.Part(name="name", bytes_=b"x", shape=("line", {"from": 1, "to": 2}), tags=["x"])
    assert hits.take_parts([part, empty, line]) == [part, empty, line], hits.take_parts([part, empty, line])
    # The first has the names of the columns, as a header does.
    lines = [typed_client.Line("name", None), typed_client.Line(odd, 2**64 - 1), typed_client.Line("", 0)]
    assert hits.take_lines(None, lines) == (None, lines)
    assert hits.take_lines("--", (line for line in lines)) == ("--", lines)
    texts = [odd, "", "\t", "\N{SNOWMAN}", "-", "@x"]
    assert hits.take_texts(texts) == texts
    assert hits.take_blobs([b"\xff\n\0", "x", bytearray(b"\t")]) == [b"\xff\n\0", b"x", b"\t"]
    assert hits.take_values([{"a\t": [1, None, odd]}, None, "x"]) == [{"a\t": [1, None, odd]}, None, "x"]
    assert hits.take_maps([{odd: -1, "": 2}, {}]) == [{odd: -1, "": 2}, {}]
    for wrong in ("ab", b"ab", [("x",)], [1], [None]):
        try:
            hits.take_pairs(wrong)
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError(wrong)
    names = hits.import_({"__proto__": 1}, constructor=1, to_string=2, self2=3, print=4, a_b=5, ab=6, redis=7)
    assert (names.proto, names.constructor, names.self, names.class_, names.class_2) == ("1 2 3 4 5 6 7", 1, 2, 3, 4)
    assert (names.init, names.str_, names.int_, names.staticmethod, names.Names_) == (5, "x", 6, None, 7)
    assert (names.map, names.odd) == ({"__proto__": 1}, ("__proto__", {"__proto__": 8}))
    assert (hits.then(), hits.list("a", "b"), hits.bytes_()) == (3, ["a", "b"], b"\xff")
    assert hits.print("a", "/b") == [here + b"/a", b"/b"]
    assert "Deprecated: use \"list\"" in hits.then.__doc__ and "Since version 1.2." in hits.then.__doc__
    assert "n: 1 to 9, default 3" in hits.then.__doc__, hits.then.__doc__
    for code, expected in (("x", "NOTFOUND"), (None, "ERR")):
        try:
            hits.fail(code)
        except Failure as failure:
            assert (failure.code, failure.message) == (expected, "no tea"), failure
        else:
            raise AssertionError("no failure")
    assert list(hits.count(2, "-'x")) == ["0-'x", "1-'x"]
    got = []
    try:
        for item in hits.count(4):
            got.append(item)
    except Failure as failure:
        assert (failure.code, failure.message) == ("BROKEN", "in the end")
    assert got == ["0", "1", "2", "3"]
    for item in hits.count(3):
        break
    assert list(hits.pairs()) == [(1, Mood.GOOD), (2, Mood.SO_SO)]
    lines = [(1, b"\t\\\xff\r\n", "", Mood.GOOD), (2, b"", "\\t", Mood.N7TH)]
    assert list(hits.lines()) == lines
    assert list(hits.notes()) == [{"a\t": [1, None]}, None]
    leaf = Folder(name="leaf", folders=[])
    assert hits.tree() == Folder(name="root", folders=[leaf], parent=leaf)
    assert hits.anything() == 7
    entries, empty, sole = hits.odd_types()
    assert entries == [typed_client.Entries(sizes={"k": [(1, None), (2, "x")]})]
    assert (empty, sole) == (typed_client.ReturnType(), typed_client.Sole.WORD)
    odd = [typed_client.Iterator2(a_b=1, x="y"), typed_client.Iterator2(a_b=2)]
    assert hits.odd_iterators(odd) == odd
    assert hits.odd_variants([("only", {"c@d*/": 3})]) == [("only", {"c@d*/": 3})]
    assert hits.odd_defaults({"text": "x"}, import_=1) == ({"text": "x"}, "it's \"x\" \\ */", 1)
    assert ">>>" not in S.odd_iterators.__doc__
    module = ast.parse(pathlib.Path(typed_client.__file__).read_text(encoding="utf-8"))
    texts = [node.value.value for node in ast.walk(module) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    odd = "*/ \\ \\\" \"\"\" > >> @ts-expect-error"
    for text in (
        "*/ \" \\ \\\" \"\"\" ''' > >> ${x} @ts-expect-error // # type: x r#\" ]]>",
        "\\xe2\\x80\\xa8*/ evil(); ``` evil(); ```\\x00",
        odd,
        f"only: {odd}\nonly.c@d*/: {odd}\n",
    ):
        assert text in texts, texts
    assert hits.nothing() is None
    assert hits.shape_list() == [
        "nothing",
        ("circle", 1.5),
        ("line", (-1, 2)),
        ("text", {"in": "x", "shapes": []}),
        ("mood", Mood.GOOD),
    ], hits.shape_list()
    assert hits.shape_level() == typed_client.Level.LOW
    assert (hits.maybe(), hits.maybe(6)) == (None, 6)
    assert "Some text." in S.kinds.__doc__ and '"Quotes", \\ and */' in S.kinds.__doc__

# As if a stranger listened. A connection that was refused is not used again.
with S(sys.argv[1], timeout=30) as hits, S(sys.argv[1], trusted=[7]) as trusting:
    typed_client.struct = types.SimpleNamespace(calcsize=lambda _: 12, unpack=lambda *_: (1, 7, 7))
    for call in (hits.start, hits.start, lambda: list(hits.variables()), lambda: list(hits.variables())):
        try:
            call()
        except PermissionError as error:
            assert "the daemon belongs to uid 7" in str(error), error
        else:
            raise AssertionError("the environment was sent")
    assert hits.start(env={"K": "v"})[3] == {"K": b"v"}
    assert trusting.start()[3] == environment
print("ok")
