"""Whatever a sample holds: its draft is a contract, and the sample decodes under it without a reject."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.contract import load_contract
from ingestion.draft.contract import DraftedContract, draft_contract
from ingestion.draft.document import Head

NAMES = st.sampled_from(["a", "b_at", "price", "on", "email", "Not A Name", "x/y", "n~0"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.dates().map(str),
    st.sampled_from(["", "12", "012", "true", "2013-02-30", "2013-01-01T05:00:00+99:99", "0000-01-01"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=6)
ROOMY = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def drafted(path: Path) -> DraftedContract:
    draft = draft_contract([path], Head("sample"))
    written = path.with_name("sample.yaml")
    written.write_text(draft.text, encoding="utf-8")
    load_contract(written)
    return draft


@ROOMY
@given(DOCUMENTS)
def test_json_documents(tmp_path: Path, documents: list[dict[str, Any]]) -> None:
    path = tmp_path / "sample.jsonl"
    numbered = [{"id": number, **document} for number, document in enumerate(documents)]
    path.write_text("".join(json.dumps(each) + "\n" for each in numbered), encoding="utf-8")
    draft = drafted(path)
    assert (draft.rows, draft.rejects) == (len(documents), ())


CELLS = st.one_of(
    st.sampled_from(["", "NA", "-", "1", "2.5", "01", "true", "2013-01-01", "2013-01-01 05:00", "1e400", ".5", "+7"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6),
)


@ROOMY
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_lines_of_csv(tmp_path: Path, lines: list[list[str]]) -> None:
    path = tmp_path / "sample.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [["id", "a", "b", "c"], *([f"r{number}", *line] for number, line in enumerate(lines))]
        )
    draft = drafted(path)
    assert (draft.rows, draft.rejects) == (len(lines), ())


@ROOMY
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "moment": st.none() | st.datetimes(),
                "day": st.dates(),
                "amount": st.none() | st.decimals(-(10**6), 10**6, places=2),
                "legs": st.lists(st.fixed_dictionaries({"origin": st.none() | st.text(max_size=3)}), max_size=2),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_rows_of_parquet(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "sample.parquet"
    schema = pa.schema(
        {
            "id": pa.int64(),
            "moment": pa.timestamp("us"),
            "day": pa.date32(),
            "amount": pa.decimal128(12, 2),
            "legs": pa.list_(pa.struct({"origin": pa.string()})),
        }
    )
    pq.write_table(pa.Table.from_pylist([{"id": n, **row} for n, row in enumerate(rows)], schema), path)
    draft = drafted(path)
    assert (draft.rows, draft.rejects) == (len(rows), ())
