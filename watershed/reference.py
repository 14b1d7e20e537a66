"""The pages of docs/ that are written from the code: contracts, commands, settings, messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from orchestration.settings import DEFAULTS, PROJECT_ROOT, Environment, Settings
from watershed import bootstrap, contract_reference
from watershed.messages import messages

_WRITTEN = "<!-- Written by `watershed reference` from the code. Edit that, not this page. -->"
_OF_SETTINGS = """\
Each is an environment variable. Without one, the default of the environment counts (`WATERSHED_ENVIRONMENT`), else the
general one. A variable that begins with `WATERSHED_` and is no setting, or a value of another type, is refused."""
_OF_BOOTSTRAP = """\
What `watershed bootstrap` makes, in this order, from `infra/bootstrap/warehouse.yaml` and
`infra/bootstrap/search.yaml`. What is there already is left alone; what somebody took away is put back. Names are those
that the settings have by default. When to run it, and as whom: [deploy](deploy.md#6-inside-redshift-and-opensearch)."""
_OF_MESSAGES = """\
What the errors of the project say, by their class; `…` stands for what varies. What to do about each class:
[troubleshooting](troubleshooting.md)."""


def write(folder: Path, app: typer.Typer, *, check: bool = False) -> list[Path]:
    """Write the pages and return those that changed. With `check` nothing is written: what is returned is stale."""
    pages: dict[str, Callable[[], str]] = {
        "bootstrap.md": lambda: (
            f"# Inside Redshift and OpenSearch\n\n{_WRITTEN}\n\n{_OF_BOOTSTRAP}\n\n{bootstrap.described()}"
        ),
        "contracts.md": contract_reference.render,
        "commands.md": lambda: _commands(app),
        "settings.md": _settings,
        "messages.md": _messages,
    }
    changed: list[Path] = []
    for name, render in pages.items():
        path, text = folder / name, render()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            changed.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    return changed


def _commands(app: typer.Typer) -> str:
    parts = [f"# Commands\n\n{_WRITTEN}\n", "`.venv/bin/watershed COMMAND --help` says the same on the terminal.\n"]
    for name, command in _leaves("watershed", typer.main.get_command(app)):
        parts.append(f"## {name}\n\n{_prose(command.help)}\n")
        if rows := [_parameter(each) for each in command.params if not getattr(each, "hidden", False)]:
            parts.append("\n".join(["| option | what it does |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The commands below a command, by their whole names."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for each in sorted(below):
        yield from _leaves(f"{name} {each}", below[each])


def _parameter(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    names = [parameter.metavar or parameter.name.upper()] if argument else ["`, `".join(parameter.opts)]
    if not argument and not parameter.is_flag and parameter.metavar:
        names.append(parameter.metavar)
    default = parameter.default
    told = f" Default: {default}." if isinstance(default, int | str) and not isinstance(default, bool) else ""
    return f"| `{' '.join(names)}` | {_prose(getattr(parameter, 'help', None))}{told} |"


def _prose(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _settings() -> str:
    parts = [f"# Settings\n\n{_WRITTEN}\n\n{_OF_SETTINGS}\n"]
    rows = ["| variable | type | default | for |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        local = DEFAULTS[Environment.LOCAL].get(name)
        general = field.default
        default = "required" if general is PydanticUndefined else "none" if general in (None, "") else f"`{general}`"
        if isinstance(general, Path):
            default = f"`{general.relative_to(PROJECT_ROOT)}`"
        if local is not None and not str(name).startswith("aws_secret"):
            default = f"{default}; locally `{local}`" if default not in ("none", "required") else f"locally `{local}`"
        kind = str(getattr(field.annotation, "__name__", field.annotation)).replace(" | None", "").replace("|", "or")
        rows.append(f"| `WATERSHED_{name.upper()}` | {kind} | {default} | {_prose(field.description)} |")
    return "\n".join([*parts, *rows]) + "\n"


def _bootstrap() -> str:
    return f"# Inside Redshift and OpenSearch\n\n{_WRITTEN}\n\n{_OF_BOOTSTRAP}\n\n{bootstrap.described()}"


def _messages() -> str:
    parts = [f"# Messages\n\n{_WRITTEN}\n\n{_OF_MESSAGES}\n"]
    found = sorted(messages(PROJECT_ROOT), key=lambda message: (message.error, message.path))
    for error, group in groupby(found, key=lambda message: message.error):
        link = f"[{error}](troubleshooting.md#{error.lower()})"
        parts.append(f"## {error}\n\nWhat to do: {link}\n\n```text")
        parts.extend(message.text for message in group)
        parts.append("```\n")
    return "\n".join(parts)
