"""How `watershed cost` shows an estimate: the arithmetic of one rate, the sums of some, and what is not in them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from itertools import groupby

import typer
from rich.console import Console
from rich.table import Table

from watershed.cost import Estimate, Line, Model, Prices

NOT_IN_IT = (
    "that builds take longer with more rows: their minutes are the same at each rate",
    "that Redshift scales up: its minutes are priced at the base RPUs, and those it grows to, max at most, cost more",
    "what runs Dagster: its servers, its database, the tasks of its runs, their images and logs",
    "queries by people and dashboards in Athena and Redshift, and what QuickSight asks beyond its users: SPICE, alerts",
    "Spark beyond the daily maintenance: a Glue job or EMR Serverless bills while it runs",
    "data that leaves AWS, or goes from one availability zone to another",
    "logs and metrics that are kept beyond what AWS gives for nothing, CloudTrail, Config, GuardDuty, support, taxes",
    "requests to S3 of compaction and expiry, backfills, rebuilds, and a second copy of anything",
    "growth of a KMS key: a month of a key that was rotated costs a dollar more, for the first two rotations",
)


def print_cost(console: Console, name: str, model: Model, rates: Sequence[float], shown: float) -> None:
    """Print the lines at the rate that is shown, then the sums at all rates."""
    estimate = model.estimate(shown)
    prices = model.prices
    console.print(
        f"{name}, {_rate(shown)}, a month in US dollars. Prices of {prices.region}, read {prices.read}, on demand,"
        " no free tier: infra/cost/prices.yaml",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_lines(estimate))
    console.print()
    console.print(_sums(model, sorted({0.0, *rates, shown})))
    _print_notes(console, name, model, estimate)


def read_prices(prices: Prices, given: Sequence[str]) -> Prices:
    """The table with what was given on the command line. Raises BadParameter for what is no price."""
    read: dict[str, float] = {}
    for text in given:
        name, _, dollars = text.partition("=")
        if name not in prices.prices:
            near = difflib.get_close_matches(name, prices.prices, n=1)
            meant = f" Did you mean {near[0]}?" if near else " infra/cost/prices.yaml names them."
            raise typer.BadParameter(f"There is no price {name!r}.{meant}")
        try:
            read[name] = float(dollars)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} gives no price; write {name}=0.5, in dollars.") from error
        if not 0 <= read[name] < math.inf:
            raise typer.BadParameter(f"{text!r} is no price; write dollars, 0 or more.")
    return prices.with_given(read)


def _lines(estimate: Estimate) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("service", no_wrap=True)
    table.add_column("what")
    table.add_column("arithmetic", overflow="fold")
    table.add_column("USD", justify="right", no_wrap=True)
    for service, lines in groupby(sorted(estimate.lines, key=lambda line: line.service), lambda line: line.service):
        for index, line in enumerate(lines):
            table.add_row("" if index else service, line.what, arithmetic(line), _usd(line.usd))
    table.add_row("[bold]sum[/]", "", "at least" if estimate.unknown else "", f"[bold]{_usd(estimate.usd)}[/]")
    return table


def arithmetic(line: Line) -> str:
    """The factors of a line and its price, as a person would write them down."""
    price = "?" if line.price.usd is None else f"${line.price.usd:g}"
    per = "" if line.price.per == 1 else f" / {line.price.per:,}"
    factors = [f"{factor:,.6g} {label}" for factor, label in line.factors]
    return " * ".join([*factors, f"{price}{per}"])


def _sums(model: Model, rates: Sequence[float]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    estimates = [model.estimate(rate) for rate in rates]
    table.add_column("a month", no_wrap=True)
    for rate in rates:
        table.add_column(_rate(rate), justify="right", no_wrap=True)
    for service in sorted({line.service for estimate in estimates for line in estimate.lines}):
        row = [sum(line.usd or 0 for line in each.lines if line.service == service) for each in estimates]
        table.add_row(service, *[_usd(usd) for usd in row])
    table.add_row("[bold]sum[/]", *[f"[bold]{_usd(each.usd)}[/]" for each in estimates])
    return table


def _print_notes(console: Console, name: str, model: Model, estimate: Estimate) -> None:
    idle = model.estimate(0)
    notes = [f"[yellow]Does not hold:[/] {warning}" for warning in estimate.warnings]
    for unknown in estimate.unknown:
        price = model.prices.prices[unknown]
        notes.append(
            f"[yellow]Not known:[/] the price of a {price.unit}. Look it up at {price.source} and give --price"
            f" {unknown}=DOLLARS; the sum is without it."
        )
    if (aim := model.environment.aim_idle_usd) is not None:
        verdict = "[green]under[/]" if idle.usd < aim else "[red]not under[/]"
        least = "at least " if idle.unknown else ""
        notes.append(f"{name} idle: {least}{_usd(idle.usd)}, {verdict} the aim of {_usd(aim)}.")
    if planned := model.environment.planned:
        notes.append(f"Counted, though Terraform does not make it yet: {', '.join(planned)}.")
    console.print()
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True)
    console.print("Not in it:", highlight=False)
    for what in NOT_IN_IT:
        console.print(f"  - {what}", highlight=False, soft_wrap=True)
    console.print("What is assumed of the work, and why: infra/cost/assumptions.yaml", highlight=False, soft_wrap=True)


def _rate(rate: float) -> str:
    return f"{rate:,g} events/s" if rate else "idle"


def _usd(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:,.2f}"
