"""Which assets wait to be built."""

from __future__ import annotations

import dagster as dg

from orchestration.waiting import waiting

SOURCE, LANDING, MODEL, MART = (dg.AssetKey([name, "x"]) for name in ("kinesis", "landing", "lake", "marts"))
PARENTS = {LANDING: [SOURCE], MODEL: [LANDING], MART: [MODEL]}


def test_what_was_never_built_waits_and_so_does_all_below() -> None:
    assert waiting(PARENTS, {LANDING: 1.0, MODEL: None, MART: None}) == {MODEL, MART}


def test_what_is_older_than_what_it_reads_waits_and_so_does_all_below() -> None:
    assert waiting(PARENTS, {LANDING: 3.0, MODEL: 2.0, MART: 2.5}) == {MODEL, MART}


def test_nothing_waits_once_all_is_newer_than_what_it_reads() -> None:
    assert waiting(PARENTS, {LANDING: 1.0, MODEL: 2.0, MART: 3.0}) == set()


def test_a_source_that_dagster_knows_no_events_of_makes_nothing_wait() -> None:
    assert waiting({LANDING: [SOURCE]}, {SOURCE: None, LANDING: 1.0}) == set()
