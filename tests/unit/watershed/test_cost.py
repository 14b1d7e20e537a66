"""What an environment costs: each figure here was worked out by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ingestion.contract import load_contracts
from orchestration.settings import CONTRACTS_DIR, PROJECT_ROOT
from watershed.cli import app
from watershed.cost import (
    Environment,
    Estimate,
    Model,
    Prices,
    Sources,
    load_assumptions,
    load_environments,
    load_prices,
)
from watershed.cost_report import arithmetic

DEV, PRODUCTION = (load_environments()[name] for name in ("dev", "production"))
SOURCES = Sources(streams=2, deliveries=1, landed_streams=1)


def model(environment: Environment = DEV, prices: Prices | None = None, **assumed: float) -> Model:
    """Two streams and a delivery, with some assumptions replaced."""
    table = load_assumptions()
    replaced = {name: table[name].model_copy(update={"value": value}) for name, value in assumed.items()}
    return Model(prices or load_prices(), environment, SOURCES, {**table, **replaced})


def usd(estimate: Estimate, service: str, what: str) -> Any:
    """What a line costs, to be compared roughly; 0 if there is no such line."""
    (found,) = [line.usd for line in estimate.lines if (line.service, line.what) == (service, what)] or [0.0]
    return pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize(
    ("rate", "service", "what", "dollars"),
    [
        # 2 shards, 730 hours.
        (0, "Kinesis", "shards", 21.90),
        # 26,280,000 events, nine tenths of them, one unit each.
        (10, "Kinesis", "put", 0.331),
        # 2,250 records a second are three shards on one stream, which has one: four in all.
        (2_500, "Kinesis", "shards", 43.80),
        # 2,628,000 records of 5 KB are 12.53 GB.
        (10, "Firehose", "taken in", 0.3634),
        # 262,800 queries at 10 MB at least are 2.506 TB.
        (10, "Athena", "models of the lake", 12.53),
        # 262,800 queries, each of 10,800,000,000 bytes: 2,581.4 TB.
        (10_000, "Athena", "models of the lake", 12_907.0),
        # Four RPU, 2,920 times two minutes.
        (10, "Redshift", "marts", 146.00),
        # 315,360,000 events in a year, three copies of 100 bytes: 88.11 GB.
        (10, "S3", "stored", 2.027),
        # 43,800 objects of one delivery, each looked at three times.
        (10, "S3", "looking at objects", 0.657),
        (10, "SQS", "messages about objects", 0.1577),
        # Each half minute, two requests, also while nothing comes.
        (0, "SQS", "looking for messages", 0.0701),
        (0, "OpenSearch", "t3.small.search", 26.28),
        (0, "OpenSearch", "volumes", 1.22),
        # Six of streams, two of the delivery, three of queues, seven more.
        (0, "CloudWatch", "alarms", 1.80),
        (0, "Network", "NAT instance", 6.132),
        (0, "Network", "public addresses", 3.65),
        # What costs nothing while nothing comes.
        (0, "Redshift", "marts", 0.0),
        (0, "Athena", "models of the lake", 0.0),
    ],
)
def test_a_line_costs_what_was_worked_out_by_hand(rate: float, service: str, what: str, dollars: float) -> None:
    looked_back = model(lookback_hours=0 if rate == 10 else 3)
    assert dollars == usd(looked_back.estimate(rate), service, what)


def test_streams_on_demand_cost_by_the_hour_and_what_is_kept_for_a_week() -> None:
    estimate = model(PRODUCTION, bytes_per_event=357, firehose_share=0).estimate(10)
    assert usd(estimate, "Kinesis", "streams on demand") == 58.40
    # 26,280,000 events of 1 KB: 25.06 GB.
    assert usd(estimate, "Kinesis", "written") == 2.005
    # 144 hours beyond the first day: 4.944 GB at any time.
    assert usd(estimate, "Kinesis", "kept beyond a day") == 0.494


def test_a_price_that_nobody_found_is_left_out_of_the_sum_and_asked_for() -> None:
    whole = load_prices()
    key = whole.prices["kms_key_month"].model_copy(update={"usd": None})
    without = whole.model_copy(update={"prices": {**whole.prices, "kms_key_month": key}})
    estimate = model(prices=without).estimate(0)
    assert estimate.unknown == ("kms_key_month",)
    assert estimate.usd == pytest.approx(model().estimate(0).usd - DEV.keys)
    assert model(prices=without.with_given({"kms_key_month": 2})).estimate(0).usd == pytest.approx(
        model().estimate(0).usd + DEV.keys
    )


def test_what_would_not_hold_is_said() -> None:
    assert model().estimate(0).warnings == ()
    # Four RPU, 96 times a day four minutes: 26 RPU-hours.
    told = " ".join(model(mart_build_minutes=4).estimate(60_000).warnings)
    assert "Marts use 26 RPU-hours daily" in told
    assert "53 shards more" in told
    assert "Firehose takes 5,000" in told
    assert "the search index has" in told


def test_a_line_shows_its_arithmetic() -> None:
    (line,) = [line for line in model().estimate(10).lines if line.what == "put"]
    assert arithmetic(line) == ("10 events/s * 2.628e+06 s * 0.9 of them * 1 PUT units an event * $0.014 / 1,000,000")


def test_contracts_say_how_many_streams_and_deliveries_there_are() -> None:
    assert Sources.of(load_contracts(CONTRACTS_DIR)) == Sources(1, 1, 1)


def test_each_price_has_a_page_and_each_is_used_by_its_name() -> None:
    prices = load_prices().prices
    assert all(price.source.startswith("https://aws.amazon.com/") and price.seen for price in prices.values())
    told = (PROJECT_ROOT / "watershed" / "cost.py").read_text(encoding="utf-8")
    assert {environment.search.price for environment in (DEV, PRODUCTION) if environment.search} <= prices.keys()
    assert [name for name in prices if f'"{name}"' not in told and not name.startswith("opensearch_")] == []


def test_each_assumption_is_used() -> None:
    told = Path(PROJECT_ROOT / "watershed" / "cost.py").read_text(encoding="utf-8")
    assert set(re.findall(r'assumed\("(\w+)"\)', told)) == set(load_assumptions())


def test_dev_idle_is_under_its_aim() -> None:
    sources = Sources.of(load_contracts(CONTRACTS_DIR))
    idle = Model(load_prices(), DEV, sources, load_assumptions()).estimate(0)
    assert idle.unknown == ()
    assert DEV.aim_idle_usd is not None
    assert idle.usd < DEV.aim_idle_usd


def test_the_command_shows_lines_sums_and_what_is_not_in_it() -> None:
    result = CliRunner().invoke(
        app, ["cost", "--env", "dev", "--events-per-second", "10", "--price", "kms_key_month=9"]
    )
    assert result.exit_code == 0, result.output
    for told in ("Kinesis", "1,000 events/s", "dev idle", "Not in it", "$9"):
        assert told in result.output


def test_the_page_on_cost_tells_what_the_program_works_out() -> None:
    page = (PROJECT_ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    sources = Sources.of(load_contracts(CONTRACTS_DIR))
    for name, environment in load_environments().items():
        found = Model(load_prices(), environment, sources, load_assumptions())
        sums = " | ".join(f"{found.estimate(rate).usd:,.0f}" for rate in (0, 10, 1_000))
        assert f"| {name} | {sums} |" in page


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("kms_key_mont=1", "Did you mean kms_key_month?"),
        ("kms_key_month=x", "in dollars"),
        ("kms_key_month=-1", "0 or more"),
    ],
)
def test_a_price_that_is_none_is_refused(given: str, told: str) -> None:
    result = CliRunner().invoke(app, ["cost", "--env", "dev", "--price", given])
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())
