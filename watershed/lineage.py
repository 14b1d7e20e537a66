"""The lineage of fields on the terminal: trees, and what a change reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from orchestration.lineage.changes import changed_files, reach
from orchestration.lineage.graph import FieldId, FieldKind, Graph, find
from orchestration.lineage.page import page

Step = Callable[[FieldId], Iterable[FieldId]]


def print_field(console: Console, graph: Graph, name: str, *, up: bool, down: bool) -> None:
    """Print what the field that `ASSET.FIELD` names is made of, and what it goes into, as trees."""
    field = find(graph, name)
    if up:
        _print_tree(console, graph, field, graph.upstream, "made of")
    if down:
        _print_tree(console, graph, field, graph.downstream, "goes into")


def write_page(console: Console, graph: Graph, path: Path) -> None:
    """Write the graph as a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(graph), encoding="utf-8")
    console.print(f"wrote {escape(str(path))}", highlight=False, soft_wrap=True)


def _print_tree(console: Console, graph: Graph, field: FieldId, step: Step, relation: str) -> None:
    nothing = "" if any(step(field)) else " nothing"
    tree = Tree(f"{_label(graph, field)} [bold]{relation}{nothing}[/]")
    _grow(tree, graph, field, step, {field})
    console.print(tree, highlight=False, soft_wrap=True)


def _grow(tree: Tree, graph: Graph, field: FieldId, step: Step, shown: set[FieldId]) -> None:
    for other in step(field):
        ends = (field, other) if step == graph.downstream else (other, field)
        how = graph.transformation(*ends)
        note = " [dim italic]decides[/]" if how.decides else " [dim italic]masked[/]" if how.masks else ""
        if other in shown and any(step(other)):
            tree.add(f"{_label(graph, other)}{note} [dim]as above[/]")
        else:
            shown.add(other)
            _grow(tree.add(_label(graph, other) + note), graph, other, step, shown)


def _label(graph: Graph, field: FieldId) -> str:
    declared = graph.fields[field]
    restricted = f" [red]{escape(declared.classification)}[/]" if declared.classification else ""
    kind = declared.type or declared.kind.value
    return f"{escape(field.asset)}.[cyan]{escape(field.path)}[/] [dim]{escape(kind)}[/]{restricted}"


def print_changed(console: Console, graph: Graph, base: str) -> None:
    """Print the assets that were changed since a git commit, and the visuals, filters and index fields they reach."""
    found = reach(graph, changed_files(base))
    if not found.assets:
        console.print(f"No file that declares a field differs from {escape(base)}.", highlight=False, soft_wrap=True)
        return
    for file, assets in found.assets.items():
        console.print(f"{escape(file)} declares {escape(', '.join(assets))}", highlight=False, soft_wrap=True)
    console.print("\nreached:" if found.ends else "\nNo visual, filter or index field is reached.")
    for (asset, kind), paths in _grouped(graph, found.ends).items():
        line = f"  {asset}: {len(paths)} {kind}{'s' if len(paths) > 1 else ''}: {', '.join(paths)}"
        console.print(escape(line), highlight=False, soft_wrap=True)


def _grouped(graph: Graph, ends: Iterable[FieldId]) -> dict[tuple[str, FieldKind], list[str]]:
    """The paths of fields by asset and kind, in the order of the graph."""
    ends = frozenset(ends)
    grouped: dict[tuple[str, FieldKind], list[str]] = {}
    for field in graph.fields.values():
        if field.id in ends:
            grouped.setdefault((field.id.asset, field.kind), []).append(field.id.path)
    return grouped
