"""`watershed`: the platform on this machine, and the files that are derived from its contracts."""

from __future__ import annotations

import errno
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from orchestration.settings import CONTRACTS_DIR, DBT_PROJECT_DIR, Environment, Settings, settings

# What a full, a read-only and a forbidden disk say.
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
# Colours that a parser puts into its messages.
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_DISK_CURE = "Make room or give the right to write there, or set WATERSHED_STATE_DIR to another folder."

console = Console()
errors = Console(stderr=True)


@contextmanager
def _spoken() -> Iterator[None]:
    """Errors that say how to mend them are shown as one paragraph, not as a stack trace."""
    try:
        yield
    except Exception as error:
        told = next((said for cause in _causes(error) if (said := _said(cause))), None)
        if told is None:
            raise
        errors.print(told, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from: Dagster wraps what keeps its definitions from loading."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _said(error: BaseException) -> str | None:
    """What to show for an error that says how to mend it; None for another one, which is a fault of the program."""
    from infra.bootstrap.errors import BootstrapError
    from infra.local.errors import LocalServicesError
    from ingestion.errors import IngestionError
    from orchestration.errors import OrchestrationError
    from orchestration.lineage.errors import LineageError
    from serving.opensearch.errors import IndexBuildError
    from serving.quicksight.errors import QuickSightError
    from serving.rows.source import RowsError

    spoken = (BootstrapError, LocalServicesError, IngestionError, OrchestrationError, LineageError)
    if isinstance(error, (*spoken, IndexBuildError, QuickSightError, RowsError)):
        return f"[red]{type(error).__name__}[/]: {escape(_ANSI.sub('', str(error)))}"
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        return f"[red]{escape(str(error))}[/]. {_DISK_CURE}"
    return None


class _Commands(TyperGroup):
    """Every command speaks its errors."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        with _spoken():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _local() -> Settings:
    """The settings, of the local environment only: these commands start and clear things."""
    found = settings()
    if found.environment is not Environment.LOCAL:
        errors.print(
            f"This command is for the local environment; WATERSHED_ENVIRONMENT is {found.environment}. Unset it."
        )
        raise typer.Exit(2)
    return found


def _show_progress_of(*loggers: str) -> None:
    """Let some loggers speak on the terminal: long work such as a download."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in loggers:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)


@app.command()
def up() -> None:
    """Start the local AWS and OpenSearch, and create in them what Terraform would create."""
    from infra.local import state
    from infra.local.provision import provision
    from ingestion.contract import load_contracts

    _show_progress_of("infra.local")
    found = state.up(_local())
    provision(_local(), load_contracts(CONTRACTS_DIR).values())
    if found.cleared:
        console.print(found.cleared)
    status()


@app.command()
def down() -> None:
    """End the local services. What was in the local AWS is gone with it."""
    from infra.local import state

    ended = state.down(_local())
    console.print(f"ended {', '.join(ended)}" if ended else "nothing was running")


@app.command()
def status() -> None:
    """Show the local services, what runs where and what does not and why; and what each contract has landed."""
    from watershed.status import print_status

    print_status(_local(), console)


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False) -> None:
    """End the local services and clear the whole local state: AWS, DuckDB, OpenSearch, Dagster."""
    from infra.local import state

    found = _local()
    if not yes and not typer.confirm(f"Clear everything in {found.state_dir}?"):
        raise typer.Exit(1)
    cleared = state.reset(found)
    console.print(f"cleared {', '.join(cleared)}" if cleared else "nothing was there")


@app.command()
def prepare() -> None:
    """Make what a fresh clone lacks: dbt's manifests, and OpenSearch from Maven where there is Java."""
    from infra.local.opensearch.artifacts import fetch
    from infra.local.opensearch.engine import OpenSearchEngine
    from infra.local.opensearch.java import find_java

    _show_progress_of("infra.local")
    _refresh_manifests()
    reason, java = OpenSearchEngine().available(), find_java()
    if reason or java is None:
        console.print(f"[yellow]The search index will be skipped: {reason}[/]", highlight=False)
        return
    fetch(java)


def _refresh_manifests() -> None:
    """Parse the dbt project anew for each layer whose manifest is older than the project, and compile it likewise."""
    from orchestration.dbt import parse, stale_manifests
    from orchestration.lineage.compiled import compiled_manifest, is_compiled

    for layer in stale_manifests():
        console.print(f"dbt parse for {layer.name} ...")
        parse(layer)
    if not is_compiled():
        console.print("dbt compile for the lineage of fields ...")
        compiled_manifest()


def _tell_derived(changed: Sequence[Path], command: str, current: str, *, check: bool) -> None:
    """Tell which derived files were written; those that are stale where only that was asked, which fails."""
    for path in changed:
        console.print(f"{'stale' if check else 'wrote'} {path.relative_to(DBT_PROJECT_DIR.parent)}")
    if check and changed:
        errors.print(f"Run `watershed {command}` and commit what it writes.")
        raise typer.Exit(1)
    if not changed:
        console.print(current)


@app.command()
def sources(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a file is stale.")] = False,
) -> None:
    """Write the dbt sources from the contracts."""
    from ingestion.contract import load_contracts
    from ingestion.dbt_source import write_sources

    contracts = load_contracts(CONTRACTS_DIR).values()
    changed = write_sources(contracts, DBT_PROJECT_DIR / "models" / "sources", check=check)
    _tell_derived(changed, "sources", "every dbt source is as its contract says", check=check)


@app.command()
def demo(
    year: Annotated[bool, typer.Option("--year", help="Play all of 2013, or the rest of it after January.")] = False,
) -> None:
    """Do the whole job on this machine: play January 2013, land it, build the models, serve them."""
    from watershed.demo import END_OF_JANUARY, END_OF_YEAR, run

    _refresh_manifests()
    good = run(_local(), console, END_OF_YEAR if year else END_OF_JANUARY)
    raise typer.Exit(0 if good else 1)


@app.command()
def rebuild(
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, inclusive.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be rebuilt, and change nothing.")] = False,
) -> None:
    """Rebuild the models of a range of days, local dates of scheduled departure, from what has landed."""
    from orchestration.rebuild import days
    from watershed.rebuild import run

    chosen, found = days(first, last), _local()
    _refresh_manifests()
    good = run(found, console, *chosen, dry_run=dry_run)
    raise typer.Exit(0 if good else 1)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Where Dagster's UI listens, on 127.0.0.1.")] = 3000,
    speed: Annotated[float, typer.Option(min=0.01, help="How many times as fast as in 2013 live flights come.")] = 60.0,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second, whatever their time.")] = None,
    traffic: Annotated[bool, typer.Option("--traffic/--no-traffic", help="Whether live flights come.")] = True,
) -> None:
    """Open Dagster's UI over the local state while live flights come. Ctrl-C ends what this started, nothing else."""
    from infra.local.live import Pace
    from watershed.dev import serve

    _refresh_manifests()
    raise typer.Exit(serve(_local(), console, port, Pace(speed, rate) if traffic else None))


@app.command()
def traffic(
    speed: Annotated[float | None, typer.Option(min=0.01, help="How many times as fast as in 2013.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second, whatever their time.")] = None,
    pause: Annotated[bool | None, typer.Option("--pause/--resume", help="Pause it, or let it go on.")] = None,
) -> None:
    """Set the pace of the live flights that come, or tell it. Where none come, play them here until Ctrl-C."""
    from infra.local.live import Pace
    from watershed.traffic import NoTrafficError, change, play

    if speed is not None and rate is not None:
        errors.print("Choose of --speed and --rate.")
        raise typer.Exit(2)
    changes: dict[str, float | bool | None] = {} if pause is None else {"paused": pause}
    if speed is not None or rate is not None:
        changes |= {"rate": rate} if speed is None else {"speed": speed, "rate": None}
    found = _local()
    if change(found, console, changes):
        return
    if pause is not None:
        raise NoTrafficError("No traffic is played. `watershed traffic` or `watershed dev` plays it.")
    play(found, console, Pace(speed or Pace.speed, rate))


@app.command()
def land(
    contract: Annotated[str, typer.Argument(help="The contract's name.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on landing until Ctrl-C or SIGTERM.")] = False,
    through: Annotated[
        str | None,
        typer.Option(metavar="INDEX", help="Carry it on: build the models behind it, update opensearch/<index>."),
    ] = None,
    every: Annotated[
        str, typer.Option(metavar="TIME", help="With --follow, from one landing to the next: 2s, 1min.")
    ] = "5s",
    report_every: Annotated[
        str, typer.Option(metavar="TIME", help="With --follow, between two reports to Dagster, tests before each.")
    ] = "60s",
    as_json: Annotated[
        bool, typer.Option("--json", help="With --follow, print a line of JSON for each cycle.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="List all of a Firehose prefix, for what came later than its look-back.")
    ] = False,
) -> None:
    """Land what is new of a contract, once or from now on, as its asset does; Dagster is told. Any environment."""
    from watershed import follow as following
    from watershed.contracts import find_contract
    from watershed.durations import seconds

    config, found = settings(), find_contract(CONTRACTS_DIR, contract)
    if follow:
        cadence = following.Cadence(seconds(every), seconds(report_every))
        following.follow(config, console, found, through, cadence, as_json=as_json)
    else:
        following.land_once(config, console, found, through, whole=whole)


@app.command()
def maintain(
    keep: Annotated[str, typer.Option(metavar="TIME", help="Keep snapshots that were current since: 1h, 24h.")] = "1h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be expired, and change nothing.")] = False,
) -> None:
    """Expire old snapshots of the landed tables, so that commits stay quick. Deletes no file. Any environment."""
    from watershed.durations import seconds
    from watershed.maintain import run

    run(settings(), console, timedelta(seconds=seconds(keep)), dry_run=dry_run)


@app.command()
def latency(
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second.")] = 5.0,
    time: Annotated[str, typer.Option(metavar="TIME", help="For so long, each way.")] = "60s",
    every: Annotated[str, typer.Option(metavar="TIME", help="The follower's cadence.")] = "2s",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the figures; without it, into the local state.")
    ] = None,
    sensors: Annotated[
        bool, typer.Option("--sensors/--no-sensors", help="Measure the way without a follower too: some minutes more.")
    ] = True,
) -> None:
    """Measure the time from an event's put to where a search finds it, stage by stage, on a state of its own."""
    from watershed.durations import seconds
    from watershed.latency import Load, measure

    seconds(every)
    found = out or _local().state_dir / "latency.json"
    measure(console, Load(rate, seconds(time)), every=every, out=found, sensors=sensors)


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="Statements. Without them, a shell.", metavar="SQL")] = None,
) -> None:
    """A DuckDB shell that has the landed tables and the models in it: landing.*, quarantine.*, lake.*, marts.*.

    Tables on a terminal; CSV, all rows, in a pipe or a file.
    """
    from watershed.shell import run, shell

    good = run(_local(), console, query) if query else shell(_local(), console)
    raise typer.Exit(0 if good else 1)


@app.command()
def lineage(
    field: Annotated[
        str | None, typer.Argument(help="ASSET.FIELD, such as landing/flight_events.flight.carrier.", metavar="FIELD")
    ] = None,
    up: Annotated[bool, typer.Option("--up", help="Only what the field is made of.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what is made of the field.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the whole graph as a page that needs no network.")] = None,
    changed: Annotated[
        str | None, typer.Option(metavar="BASE", help="What the files reach that differ from this git commit.")
    ] = None,
) -> None:
    """Follow a field from where it comes in to the visuals and search indexes that show it. Needs no server."""
    from orchestration.lineage.build import project_graph
    from watershed.lineage import print_changed, print_field, write_page

    if not (field or html or changed):
        errors.print("Name a field, or give --html or --changed.")
        raise typer.Exit(2)
    graph = project_graph()
    if field:
        print_field(console, graph, field, up=up or not down, down=down or not up)
    if html:
        write_page(console, graph, html)
    if changed:
        print_changed(console, graph, changed)


@app.command()
def preview(
    dashboard: Annotated[str | None, typer.Argument(help="Its exposure's name. Without it, each dashboard.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; without it, into the local state.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter's value in place of its default one.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
) -> None:
    """Draw dashboards from the local models, as QuickSight would: a page that needs no network, a picture a sheet."""
    from watershed.preview import read_parameters, run

    _refresh_manifests()
    found = _local()
    pages = run(found, console, dashboard, out or found.state_dir / "preview", read_parameters(parameter or []))
    if open_page:
        for page in pages:
            typer.launch(page.resolve().as_uri())


@app.command()
def cost(
    env: Annotated[Literal["dev", "production"], typer.Option("--env", help="The environment, as Terraform has it.")],
    events_per_second: Annotated[
        float, typer.Option(min=0, max=10_000_000, help="Show the arithmetic at this rate; 0 is idle.")
    ] = 10.0,
    price: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DOLLARS", help="A price in place of the table's.")
    ] = None,
) -> None:
    """Tell what an environment costs on AWS in a month: line by line at a rate, and idle, at 10 and 1,000 events/s."""
    from ingestion.contract import load_contracts
    from watershed.cost import Model, Sources, load_assumptions, load_environments, load_prices
    from watershed.cost_report import print_cost, read_prices

    prices = read_prices(load_prices(), price or [])
    sources = Sources.of(load_contracts(CONTRACTS_DIR))
    model = Model(prices, load_environments()[env], sources, load_assumptions())
    print_cost(console, env, model, (10, 1_000), events_per_second)


@app.command()
def bootstrap(
    only: Annotated[
        Literal["warehouse", "search"] | None, typer.Option("--only", help="Leave out the other part.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what there shall be, ask nobody, change nothing.")
    ] = False,
    rotate: Annotated[bool, typer.Option("--rotate", help="Give QuickSight's user a new password.")] = False,
) -> None:
    """Set up what is inside Redshift and OpenSearch on AWS: schemas, users, roles, grants. What is there stays."""
    from watershed.bootstrap import declared_indexes, require_aws, run, show, wanted

    config = settings()
    require_aws(config)  # before the project is parsed, which takes a while
    if only != "warehouse":
        _refresh_manifests()
    found = wanted(config, declared_indexes() if only != "warehouse" else (), only, rotate=rotate)
    if plan:
        show(console, found)
    else:
        run(console, found, rotate=rotate)


new = typer.Typer(help="Draft what a team declares.", no_args_is_help=True)
app.add_typer(new, name="new")


@new.command("contract")
def new_contract(
    name: Annotated[str, typer.Argument(help="Of the data set: lower-case letters, digits and underscores.")],
    samples: Annotated[
        list[Path],
        typer.Option("--from", metavar="FILE", help="Sample records: JSON, CSV or Parquet, plain or gzip; - is stdin."),
    ],
    *,
    stream: Annotated[
        bool, typer.Option("--stream", help="Comes in on a Kinesis stream. The default for JSON.")
    ] = False,
    firehose: Annotated[bool, typer.Option("--firehose", help="Comes in through Firehose, as objects in S3.")] = False,
    files: Annotated[
        bool, typer.Option("--files", help="Comes in as files in S3. The default for CSV, Parquet.")
    ] = False,
    purpose: Annotated[str | None, typer.Option(help="What the data set is for, in a sentence.")] = None,
    domain: Annotated[str | None, typer.Option(help="The group of data sets that it belongs to.")] = None,
    team: Annotated[str | None, typer.Option(help="The team that owns it.")] = None,
    sample: Annotated[int, typer.Option(min=1, help="How many records to read, at most.")] = 20_000,
    format_: Annotated[
        Literal["json", "csv", "parquet"] | None, typer.Option("--format", help="If the names do not tell.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a contract that is there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the draft, write nothing.")] = False,
) -> None:
    """Draft a contract from sample records: types, keys, rules, and what is unsure, ready to edit."""
    from ingestion.draft.document import Head, Transport
    from watershed.new_contract import run

    ways: list[tuple[Transport, bool]] = [("stream", stream), ("firehose", firehose), ("files", files)]
    chosen: list[Transport] = [way for way, given in ways if given]
    if len(chosen) > 1:
        errors.print(f"A contract has one way in: choose of --{', --'.join(chosen)}.")
        raise typer.Exit(2)
    head = Head(name, purpose, domain, team)
    transport = chosen[0] if chosen else None
    run(console, head, transport, samples, CONTRACTS_DIR, most=sample, format_=format_, force=force, dry_run=dry_run)


@app.command()
def put(
    contract: Annotated[str, typer.Argument(help="The contract's name.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Records, one a line; or files for S3.")],
) -> None:
    """Send the records of files to a contract's source on the local AWS: its stream, Firehose, or prefix in S3."""
    from watershed.contracts import find_contract
    from watershed.put import put as put_file

    settings_, found = _local(), find_contract(CONTRACTS_DIR, contract)
    for path in files:
        done = put_file(settings_, found, path)
        what = "the file" if done.records is None else f"{done.records:,} records"
        console.print(f"put {path.name}: {what} into {done.target}", highlight=False, soft_wrap=True)


@app.command()
def reference(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a page is stale.")] = False,
) -> None:
    """Write the pages of docs/ that follow from the code: contracts, bootstrap, commands, settings, messages."""
    from orchestration.settings import PROJECT_ROOT
    from watershed.reference import write

    changed = write(PROJECT_ROOT / "docs", app, check=check)
    _tell_derived(changed, "reference", "every page is as the code says", check=check)
