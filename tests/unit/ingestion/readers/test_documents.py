"""Documents in bytes: all that are whole are found, nothing is lost, whatever the blocks that the bytes come in."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.readers.documents import documents

_texts = st.text(st.sampled_from('a{}[]:," \\\n\u00e9'), max_size=8)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_objects = st.lists(st.dictionaries(_texts, _values, max_size=3), min_size=1, max_size=6)
_separators = st.sampled_from([b"", b"\n", b"\r\n", b" ", b"\n\n"])
_sizes = st.integers(6, 60)
_quick = settings(max_examples=40, deadline=None)


def found(data: bytes, size: int = 1000, longest: int = 1000) -> list[bytes]:
    """The payloads. Each lies where its offset says."""
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    payload: list[bytes] = []
    for batch in documents(blocks, longest):
        for document, offset in zip(batch.payload, batch.offsets, strict=True):
            assert data[offset : offset + len(document)] == document
            payload.append(document)
    return payload


@_quick
@given(_objects, _separators, _sizes, st.booleans())
def test_each_document_is_found_whatever_is_between_them(
    objects: list[dict[str, object]], separator: bytes, size: int, pretty: bool
) -> None:
    texts = [json.dumps(o, ensure_ascii=False, indent=2 if pretty else None).encode() for o in objects]
    assert found(separator.join(texts), size) == texts


@_quick
@given(
    _objects, st.lists(st.sampled_from([b"junk", b"}", b"\xff\xfe", b"1,2", b"x: y;"]), min_size=6, max_size=6), _sizes
)
def test_whole_documents_beside_broken_bytes_are_found(
    objects: list[dict[str, object]], junk: list[bytes], size: int
) -> None:
    texts = [json.dumps(o).encode() for o in objects]
    data = b"".join(part for text, bad in zip(texts, junk, strict=False) for part in (text, bad))
    assert [document for document in found(data, size) if document in texts] == texts


@_quick
@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]":,a\\\n '), max_size=60).map(str.encode), _sizes, _sizes)
def test_no_byte_is_lost(data: bytes, size: int, longest: int) -> None:
    spaces = re.compile(rb"\s")
    payload = b"".join(found(data, size, longest))
    assert spaces.sub(b"", payload) == spaces.sub(b"", data.removeprefix(b"\xef\xbb\xbf"))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":"x}{}{y"}{"b":1}', [b'{"a":"x}{}{y"}', b'{"b":1}']),
        (b'{"a":"x}{"b":1}{"c":2}', [b'{"a":"x}', b'{"b":1}', b'{"c":2}']),
        (b'{"a":1,"x":{"y":2}{"b":1}', [b'{"a":1,"x":{"y":2}', b'{"b":1}']),
        (b'{"a":{"b":1}\n{"c":2}', [b'{"a":{"b":1}', b'{"c":2}']),
        (b'not JSON\nnor this\n{"a":1}', [b"not JSON", b"nor this", b'{"a":1}']),
        (b"null [1] {}", [b"null", b"[1]", b"{}"]),
        (b"{}{}{}", [b"{}", b"{}", b"{}"]),
        (b"", []),
    ],
)
def test_what_is_broken_is_parted_from_what_is_whole(data: bytes, expected: list[bytes], size: int) -> None:
    assert found(data, size) == expected


def test_a_document_that_is_too_long_is_broken_and_the_next_one_whole() -> None:
    parts = found(b'{"a":"%s"}{"b":1}{"c":2}' % (b"x" * 300), size=50, longest=100)
    assert parts[-2:] == [b'{"b":1}', b'{"c":2}']
    assert b'{"a":' in parts[0]
