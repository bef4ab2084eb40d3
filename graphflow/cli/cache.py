"""`graphflow cache`: what is kept, why a node ran, and making room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphflow.cli.options import AsJson

if TYPE_CHECKING:
    from graphflow.cache.disk import DiskEntry

cache = typer.Typer(
    help="Show or clear kept results; tell why a node ran.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@cache.callback()
def show(
    context: typer.Context,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="NODE", help="Tell why this node ran in its newest run, or did not."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the results that are kept on disk, by node type."""
    if context.invoked_subcommand is not None:
        return
    if explain is not None:
        _explain(explain, as_json=as_json)
    else:
        _show(as_json=as_json)


@cache.command()
def clear(
    scratch: Annotated[bool, typer.Option("--scratch", help="Also what unfinished nodes keep to resume from.")] = False,
) -> None:
    """Delete all results that are kept on disk. Files that runs made for you stay."""
    from graphflow.cli.house import open_app
    from graphflow.cli.output import count_text, notice, size_text

    with open_app() as app:
        before = app.cache.disk.stats()
        app.cache.clear()
        if scratch:
            app.cache.disk.clear_scratch()
    notice(f"{count_text(before.entries, 'result')} deleted, {size_text(before.bytes)}")


def _explain(node: str, *, as_json: bool) -> None:
    from graphflow.cli.house import open_app
    from graphflow.cli.output import json_line, line
    from graphflow.errors import CacheError

    with open_app() as app:
        lines = app.explain(node)
    if not lines:
        raise CacheError(
            f'no run so far has a node "{node}"; run its workflow first, and name the node as the file does.'
        )
    if as_json:
        json_line(lines)
    else:
        line("\n".join(lines))


def _show(*, as_json: bool) -> None:
    from graphflow.cli.house import open_app
    from graphflow.cli.output import count_text, json_line, notice, size_text, table

    with open_app() as app:
        kept = kept_by_type(list(app.cache.disk.entries()))
        limit, folder = app.settings.cache_disk, app.settings.cache_folder
    entries, size = (sum(int(row[name]) for row in kept) for name in ("results", "bytes"))
    if as_json:
        json_line({"folder": str(folder), "limit_bytes": limit, "results": entries, "bytes": size, "types": kept})
        return
    if kept:
        table(
            ("node type", "results", "size", "seconds to make"),
            [(row["type"], str(row["results"]), size_text(row["bytes"]), f"{row['seconds']:.1f}") for row in kept],
            right=("results", "size", "seconds to make"),
        )
    notice(f"{count_text(entries, 'result')}, {size_text(size)} of at most {size_text(limit)}, in {folder}")


def kept_by_type(entries: list[DiskEntry]) -> list[dict[str, Any]]:
    """Sums for each node type: results, bytes, seconds to make them again; the largest first."""
    rows: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = entry.record.node_type or "unknown"
        row = rows.setdefault(name, {"type": name, "results": 0, "bytes": 0, "seconds": 0.0})
        row["results"] += 1
        row["bytes"] += entry.bytes
        row["seconds"] += entry.record.seconds
    return sorted(rows.values(), key=lambda row: (-row["bytes"], row["type"]))
