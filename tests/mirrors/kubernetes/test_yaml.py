"""YAML is read as Kubernetes reads it, and the most expensive text of its size costs little CPU time."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrors.kubernetes.objects.pod_manifests import ManifestError, read_pods
from mirrors.kubernetes.objects.yaml_errors import YamlError
from mirrors.kubernetes.objects.yaml_loader import MOST_BYTES, decode, documents, plain
from mirrors.kubernetes.objects.yaml_scalars import dump
from swapper_project import config
from swapper_project.config import ConfigError

# CPU seconds of this thread for 1 MiB. Measured: at most 0.25 s; minutes without limits.
LONGEST = 1.5


def read(text: str) -> list[object]:
    return [plain(node) for node in documents(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=", "="), ("1:1", "1:1"), ("22:22", "22:22"), ("1:30:15.5", "1:30:15.5"), ("2026-01-02", "2026-01-02"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"), ("yes", True), ("Off", False), ("n", False), ("yEs", "yEs"),
        ("~", None), ("NULL", None), ("", None), ("0123", 83), ("0o17", 15), ("08", 8.0), ("0x1F", 31), ("0b101", 5),
        ("1_000", 1000), ("+12", 12), ("-7", -7), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1.2.3", "1.2.3"),
        ("18446744073709551615", 18446744073709551615), ("18446744073709551616", 1.8446744073709552e19),
        ("1e400", "1e400"), (".inf", ".inf"), (".NaN", ".NaN"),
        ("9" * 5000, "9" * 5000), ("'5'", "5"), ('"yes"', "yes"),
        ("!!str 5", "5"), ("!!int '5'", 5), ("!!float 5", 5.0), ("!!binary aGk=", "hi"),
        ("!!timestamp 2026-01-02", "2026-01-02"),
        ("<<", "<<"), ("--flag=value", "--flag=value"), ("a%", "a%"), ("|\n  =\n", "=\n"),
    ],
)  # fmt: skip
def test_values_are_parsed_as_in_kubernetes(text: str, value: object) -> None:
    [document] = read(f"x: {text}")
    assert document == {"x": value}
    assert type(document["x"]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y: 0\non: 1\n5: 2\n0x10: 3\n1.5: 4", {"true": 1, "5": 2, "16": 3, "1.5": 4}),
        ("a: 1\na: 2", {"a": 2}),
        ("b: &b {x: 1, z: 2}\na: {<<: *b, z: 3}", {"b": {"x": 1, "z": 2}, "a": {"x": 1, "z": 3}}),
        ("- &b {x: 1}\n- &c {x: 2, z: 3}\n- {<<: [*b, *c]}", [{"x": 1}, {"x": 2, "z": 3}, {"x": 1, "z": 3}]),
        ("a: {'<<': 1}", {"a": {"<<": 1}}),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("{\n\t\"a\": [\n\t\t1\n\t]\n}", {"a": [1]}),
        ("%YAML 1.1\n%TAG ! tag:x,2000:\n---\na: 1\n...\n---\n# nothing\n", {"a": 1}),
        ("- &a 1\n- &a 2\n- *a", [1, 2, 2]),
    ],
)  # fmt: skip
def test_documents_are_parsed_as_in_kubernetes(text: str, value: object) -> None:
    assert read(text) == [value]


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: 1\n\tb: 2", "use spaces", 2),
        ("a:\n- \t- b", "use spaces", 2),
        ("a: `b`", "begin with `: put quotes", 1),
        ("a: 1\nb: *c", "no &c before this", 2),
        ("a: &a\n  b: *a", "nested in itself", 2),
        ("a: !Ref b", "tag !Ref is not supported", 1),
        ("a: !!set {b}", "tag !!set is not supported", 1),
        ("a: !!int b", "does not fit its tag !!int", 1),
        ("<<: 5", "<< needs a mapping", 1),
        ("a: 1\n? {b: c}\n: d", "a key must be text", 2),
        ("a: 1\n~: d", "a key must be text", 2),
        ("a: 'b", "unexpected end of stream while scanning a quoted scalar that begins on line 1, column 4", 1),
        ("a: [1,\n2\nb: c", "',' or ']' while parsing a flow sequence that begins on line 1, column 4", 3),
        ("kind: Pod\nspec\n  a: b", "expected ':' while scanning a simple key that begins on line 2, column 1", 3),
        ("a: b: c", "put quotes around a value that contains a colon", 1),
        ("a:\n- b\n - c: d\n e: f", "check the indentation", 3),
        ("a: \ud800", "a character that YAML does not allow", 0),
        ("%TAG !a! b\n" * 101 + "--- a", "more than 100 directives", 0),
    ],
)  # fmt: skip
def test_invalid_yaml_is_rejected_with_its_line(text: str, problem: str, line: int) -> None:
    with pytest.raises(YamlError) as refused:
        read(text)
    assert problem in str(refused.value)
    assert refused.value.line == line


@pytest.mark.parametrize(("text", "place"), [("a: 'b", (1, 6)), ("a: 1\nb: [1, 2", (2, 9)), ("a: [\n", (2, 1))])
def test_an_error_at_the_end_of_the_text_has_the_last_line_and_column(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(YamlError) as refused:
        read(text)
    assert (refused.value.line, refused.value.column) == place


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"]
)  # fmt: skip
def test_utf_8_and_utf_16_files_are_decoded(encoding: str) -> None:
    text = "name: größe\r\n"
    name = encoding.removesuffix("-bom")
    data = (("\ufeff" if encoding.endswith("-bom") else "") + text).encode(name)
    assert decode(data) == text


@pytest.mark.parametrize("data", ["a: ü".encode("latin-1"), "\ufeffa".encode("utf-32"), b"\xff\xfea", b"a\n\x80"])
def test_other_encodings_are_rejected_with_advice(data: bytes) -> None:
    with pytest.raises(YamlError, match="save it as UTF-8"):
        decode(data)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
                    max_leaves=8))  # fmt: skip
def test_dumped_values_are_read_back_unchanged(value: object) -> None:
    assert read(dump({"value": value})) == [{"value": value}]


@settings(deadline=None)
@given(st.sampled_from(["=", "1:1", "08", "0o7", "1e3", "y", "on", "1_0", "0b1", "<<", "- a", "2026-01-02", "~", ".5"]))
def test_ambiguous_text_is_read_back_unchanged(text: str) -> None:
    assert read(dump({"value": text, text: 1})) == [{"value": text, text: 1}]


def filled(piece: str, *, before: str = "", after: str = "") -> str:
    room = MOST_BYTES - len(before) - len(after)
    return before + piece * (room // len(piece)) + after


WORST = {
    "sexagesimal": filled("1:", before="x: ", after="1"),
    "digits": filled("9", before="x: "),
    "float": filled("9", before="x: 0."),
    "exponent": filled("9", before="x: 1e"),
    "underscores": filled("_", before="x: 1"),
    "binary": filled("1", before="x: 0b"),
    "hexadecimal": filled("f", before="x: 0x"),
    "numbers": filled(f"- {'9' * 390}\n"),
    "open brackets": filled("["),
    "open braces": filled("{a: "),
    "dashes": filled("- "),
    "question marks": filled("? "),
    "commas": filled("a,", before="[", after="]"),
    "keys": filled("a: b\n"),
    "one key": filled("a: 1\n"),
    "deep commas": filled("a,", before="[" * 99),
    "documents": filled("---\n"),
    "anchors": "".join(f"- &a{index:x} x\n" for index in range(90_000))[:MOST_BYTES],
    "aliases": filled("- *a\n", before="- &a x\n"),
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + filled("- *a\n", before="b:\n"),
    "merges": "a: &a {x: 1, y: 2}\n" + filled("*a,", before="b: {<<: [", after="*a]}"),
    "directives": "".join(f"%TAG !a{index:x}! x\n" for index in range(60_000))[:MOST_BYTES],
    "comments": filled("#\n"),
    "line ends": filled("\n"),
    "spaces": filled(" ", before="x:"),
    "tabs": filled("\t", before="x: a"),
    "escapes": filled("\\n", before='x: "', after='"'),
    "folded": filled(" a\n", before="x: >\n"),
    "tag": filled("a", before="- !<", after="> x"),
    "open quote": filled("a ", before='x: "'),
    "JSON": filled("1,", before='{"a":[', after="1]}"),
    "JSON, deep": filled('{"a":'),
    "JSON, digits": filled("9", before='{"a":', after="}"),
}


def spent(work: object, *arguments: object) -> float:
    """Return the CPU seconds of a call, which do not depend on the load of the machine."""
    started = time.thread_time()
    with suppress(ManifestError, ConfigError):
        work(*arguments)  # type: ignore[operator]
    return time.thread_time() - started


@pytest.mark.parametrize("name", WORST)
def test_worst_case_text_is_read_or_rejected_within_the_cpu_time_limit(name: str) -> None:
    text = WORST[name]
    assert MOST_BYTES * 0.8 < len(text) <= MOST_BYTES + 2000
    assert spent(lambda: read_pods(text[:MOST_BYTES], namespace="default")) < LONGEST
    assert spent(config.parse, text) < LONGEST
