from __future__ import annotations

from datetime import UTC, datetime

from serving.quicksight.comparison import Difference, differences, fingerprint


def test_a_member_that_was_taken_out_of_what_is_declared_differs() -> None:
    deployed, declared = {"a": 1, "b": [{"c": 2, "d": "x"}]}, {"a": 1, "b": [{"c": 2}]}
    assert list(differences(deployed, declared)) == [Difference("$.b[0].d", "x", None)]
    assert list(differences(deployed, declared, added={"id"})) == [Difference("$.b[0].d", "x", None)]


def test_what_quicksight_adds_or_describes_as_empty_does_not_differ() -> None:
    deployed = {"a": [{"c": 2, "id": "x"}], "usage": {"off": False}, "folders": {}, "groups": [], "told": None}
    assert list(differences(deployed, {"a": [{"c": 2}]}, added={"id"})) == []
    assert len(list(differences(deployed, {"a": [{"c": 2}]}))) == 4


def test_lists_of_other_lengths_differ_as_a_whole() -> None:
    assert list(differences({"a": [1]}, {"a": [1, 2]}, added=())) == [Difference("$.a", [1], [1, 2])]


def test_a_fingerprint_does_not_depend_on_the_order_of_keys_and_does_on_values() -> None:
    moment = datetime(2013, 1, 1, tzinfo=UTC)
    assert fingerprint({"a": 1, "b": moment}) == fingerprint({"b": moment, "a": 1})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})


def test_a_difference_reads_in_one_line() -> None:
    assert str(Difference("$.Name", None, "x" * 200)).startswith('$.Name: (none) -> "xxx')
    assert len(str(Difference("$.Name", None, "x" * 200))) < 120
