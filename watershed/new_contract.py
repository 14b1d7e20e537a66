"""`watershed new contract`: drafts a contract from samples, writes it, and says what is unsure and what comes next."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ingestion.draft.contract import DraftedContract, draft_contract
from ingestion.draft.document import DESCRIBE, Head, Transport
from ingestion.draft.fields import NAME
from ingestion.draft.samples import Format
from ingestion.errors import SampleError

_STDIN = Path("-")


def run(
    console: Console,
    head: Head,
    transport: Transport | None,
    samples: Sequence[Path],
    folder: Path,
    *,
    most: int,
    format_: Format | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> None:
    """Draft a contract and write it into the folder of contracts.

    Args:
        console: Where to tell of it; the draft itself is printed on standard output by a dry run.
        head: The contract's name, and what is known of it.
        transport: How its data comes in; by default what suits the samples' format.
        samples: Files; `-` is standard input.
        folder: The contracts.
        most: How many records to read, at most.
        format_: The samples' format, if their names do not say it.
        force: Overwrite a contract that is there.
        dry_run: Print the draft instead of writing it.

    Raises:
        SampleError: If nothing can be drafted, or there is such a contract already.
    """
    if not NAME.fullmatch(head.name):
        raise SampleError(
            f"{head.name!r} cannot be a contract's name, which names tables: write lower-case letters, digits and _."
        )
    target = folder / f"{head.name}.yaml"
    if target.exists() and not (force or dry_run):
        raise SampleError(f"{target} is there already. Give another name, --dry-run, or --force to write it anew.")
    with _readable(samples) as paths:
        drafted = draft_contract(paths, head, transport, most=most, format_=format_)
    if dry_run:
        sys.stdout.write(drafted.text)
        return
    target.write_text(drafted.text, encoding="utf-8")
    _report(console, target, drafted)
    _next_steps(console, target, head, samples)


@contextmanager
def _readable(samples: Sequence[Path]) -> Iterator[list[Path]]:
    """The samples as files that can be read twice: what comes through a pipe is kept for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        yield [_spooled(path, Path(folder) / str(n)) if _is_pipe(path) else path for n, path in enumerate(samples)]


def _is_pipe(path: Path) -> bool:
    return path == _STDIN or path.is_fifo()


def _spooled(path: Path, folder: Path) -> Path:
    folder.mkdir()
    target = folder / ("stdin" if path == _STDIN else "pipe")
    with target.open("wb") as file, sys.stdin.buffer if path == _STDIN else path.open("rb") as pipe:
        shutil.copyfileobj(pipe, file)
    return target


def _report(console: Console, target: Path, drafted: DraftedContract) -> None:
    def say(text: str = "") -> None:
        console.print(text, highlight=False, soft_wrap=True)

    sample = drafted.sample
    whole = "all that is there" if sample.complete else "the first of more; --sample reads more"
    say(f"wrote {escape(_shown(target))}: {drafted.fields} fields from {sample.records:,} records ({whole})")
    rejected = sum(times for _, times in drafted.rejects)
    say(f"decoded under it, as landing would: {drafted.rows:,} rows, {rejected:,} rejects")
    for reason, times in drafted.rejects:
        say(f"  [yellow]{times:,}: {escape(reason)}[/]")
    say(f"\nUnsure, for you to decide ({len(drafted.doubts)}):")
    for doubt in drafted.doubts:
        say(f"  line {doubt.line:>3}  [bold]{escape(doubt.field)}[/]: {escape(doubt.text)}")


def _next_steps(console: Console, target: Path, head: Head, samples: Sequence[Path]) -> None:
    sample = next((str(path) for path in samples if not _is_pipe(path)), "FILE")
    words = target.read_text(encoding="utf-8").upper().count(DESCRIBE) - 1
    console.print(
        f"""
Next
  1. Edit {_shown(target)}: {words} texts to write (look for {DESCRIBE}), then what is unsure.
  2. .venv/bin/watershed sources       checks it, and writes its dbt source
  3. .venv/bin/watershed up && .venv/bin/watershed put {head.name} {sample}
     brings its records in; then write a model over it: docs/tutorial.md""",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
