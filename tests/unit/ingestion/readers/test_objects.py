"""Lines of objects: the same ones whatever the blocks that the bytes come in."""

from __future__ import annotations

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ingestion.readers.objects
from ingestion.readers.objects import _blocks, _split

values = st.text(st.sampled_from('ab",\n é'), max_size=6)
tables = st.lists(st.lists(values, min_size=2, max_size=2), min_size=1, max_size=8)
sizes = st.integers(1, 40)


def lines_of(data: bytes, size: int, delimiter: str = ",") -> list[bytes]:
    """The lines of bytes that come in blocks of a size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion.readers.objects, "_BLOCK", size)
        return [line for block in _split(_blocks(io.BytesIO(data)), delimiter) for line in block]


def written(table: list[list[str]], ending: str) -> bytes:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows(table)
    return text.getvalue().encode()


@given(tables, sizes, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_each_row_of_csv_is_one_line_at_any_block_size(
    table: list[list[str]], size: int, ending: str, zipped: bool
) -> None:
    data = written(table, ending)
    lines = lines_of(gzip.compress(data) if zipped else data, max(size, 2), ",")
    assert [next(csv.reader(io.StringIO(line.decode(), newline=""))) for line in lines] == table


@pytest.mark.parametrize("size", [3, 4, 5, 1000])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b'1,5" pipe\n2,b\n3,6" pipe\n', [b'1,5" pipe', b"2,b", b'3,6" pipe']),
        (b'1,"a\nb",2\n3,"c"\n', [b'1,"a\nb",2', b'3,"c"']),
        (b'1,"a\n\nb"\n2,x\n', [b'1,"a\n\nb"', b"2,x"]),
        (b'1,"a""\n""b"\n2,x\n', [b'1,"a""\n""b"', b"2,x"]),
        (b'"a\n","b\n"\n2,x\n', [b'"a\n","b\n"', b"2,x"]),
        (b'1,""\n2,x\n', [b'1,""', b"2,x"]),
        (b'1,"open\n2,x\n', [b'1,"open\n2,x\n']),
        (b"\n\n1,a\r\n\r\n  \n2,b", [b"1,a", b"2,b"]),
        (b"\xef\xbb\xbf1,a\n2,b\n", [b"1,a", b"2,b"]),
        (b"", []),
    ],
)
def test_a_line_of_csv_ends_where_no_quote_is_open(data: bytes, lines: list[bytes], size: int) -> None:
    assert lines_of(data, size, ",") == lines


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), sizes)
def test_gzip_members_one_after_another_are_one_file(members: list[bytes], size: int) -> None:
    data = b"".join(gzip.compress(member) for member in members)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion.readers.objects, "_BLOCK", max(size, 2))
        assert b"".join(_blocks(io.BytesIO(data))) == b"".join(members)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_truncated_gzip_never_passes_as_whole(content: bytes, data: st.DataObject) -> None:
    whole = gzip.compress(content)
    cut = data.draw(st.integers(2, len(whole) - 1))
    with pytest.raises(EOFError, match="ends in its middle"):
        list(_blocks(io.BytesIO(whole[:cut])))


def test_a_block_of_zeros_does_not_swell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small gzip may hold a large file: it is unzipped a block at a time."""
    monkeypatch.setattr(ingestion.readers.objects, "_BLOCK", 1000)
    blocks = list(_blocks(io.BytesIO(gzip.compress(bytes(100_000)))))
    assert max(map(len, blocks)) == 1000
    assert sum(map(len, blocks)) == 100_000
