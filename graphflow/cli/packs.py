"""`graphflow packs`: what is installed, and what authors of packs need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphflow.cli.options import AsJson

if TYPE_CHECKING:
    from graphflow.packs.registry import PackInfo

packs = typer.Typer(
    help="List, start, check, add and lock packs of nodes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@packs.command("list")
def list_packs(as_json: AsJson = False) -> None:
    """List the packs that were found; for one that fails, with its traceback."""
    from graphflow.cli.house import open_app
    from graphflow.cli.output import json_line, line, table

    with open_app() as app:
        found = app.registry.packs()
    if as_json:
        json_line([pack_json(pack) for pack in found])
        return
    table(
        ("pack", "version", "nodes", "where", "what it is"),
        [(pack.name, pack.version, str(pack.nodes), pack.place, _state(pack)) for pack in found],
        right=("nodes",),
    )
    for pack in found:
        if pack.error:
            line(f'\nthe pack "{pack.name}" ({pack.place}) has a problem:\n{pack.error}')


def pack_json(pack: PackInfo) -> dict[str, Any]:
    """A pack for machines."""
    return {
        "name": pack.name,
        "version": pack.version,
        "place": pack.place,
        "description": pack.description,
        "nodes": pack.nodes,
        "seconds": pack.seconds,
        "problem": pack.problem,
        "files": [
            {"file": problem.file, "summary": problem.summary, "traceback": problem.traceback}
            for problem in pack.problems
        ],
    }


@packs.command("new")
def new_pack(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and underscores.")],
    folder: Annotated[Path, typer.Option("--in", metavar="DIR", help="Where the pack's folder is made.")] = Path(),
) -> None:
    """Start a pack: a folder with a working node, its test and a page of help."""
    from graphflow.cli.output import line, notice
    from graphflow.packs.scaffold import scaffold_pack

    for path in scaffold_pack(folder, name):
        line(str(path))
    notice(f"try it with: GRAPHFLOW_PACKS={folder / name} graphflow run {folder / name / 'try_it.json'}")


@packs.command("check")
def check_packs(
    paths: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Folders of packs.")], as_json: AsJson = False
) -> None:
    """Check packs before they are shared: a line for each thing that is wrong."""
    from graphflow.cli.exits import ExitCode
    from graphflow.cli.output import count_text, finding_json, finding_lines, json_line, line, notice
    from graphflow.packs.check import check_pack

    found = [finding for path in paths for finding in check_pack(path)]
    wrong = any(finding.severity == "error" for finding in found)
    if as_json:
        json_line([finding_json(finding) for finding in found])
    else:
        for text in finding_lines(found):
            line(text)
        if not wrong:
            notice(f"{count_text(len(paths), 'pack')} checked: nothing is wrong")
    raise typer.Exit(ExitCode.WRONG_INPUT if wrong else ExitCode.DONE)


@packs.command("add")
def add_packs(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A pack's folder, its zip file, or a package name.")],
    requirements: Annotated[
        bool, typer.Option("--requirements", help="Also install the Python packages that a folder or zip file needs.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an installed pack of the same name.")] = False,
) -> None:
    """Install a pack. Refuses what would change the packages that graphflow itself needs."""
    from graphflow.cli.house import read_settings
    from graphflow.cli.output import line, notice
    from graphflow.packs.add import add_pack

    added = add_pack(source, read_settings(), requirements=requirements, replace=replace)
    for name in added.names:
        line(name)
    notice(f"added to {added.place}")
    if added.missing:
        notice(
            f"still missing: {', '.join(added.missing)}; install them, or add the pack again with --requirements --replace"
        )


@packs.command("lock")
def lock(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - for stdout.")
    ] = Path("graphflow.lock"),
) -> None:
    """Write down which graphflow, Python and packs are installed, so that others can have the same."""
    from graphflow.cli.house import open_app
    from graphflow.cli.output import line
    from graphflow.packs.lock import lock_packs

    with open_app() as app:
        text = lock_packs(app.registry)
    if str(output) == "-":
        line(text.rstrip("\n"))
        return
    _write(output, text)
    line(str(output))


def _write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all. Raises PackError."""
    from graphflow.errors import PackError

    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise PackError(
            f"{path} cannot be written: {error.strerror}; name a file in a folder that you may write to"
        ) from error


def _state(pack: PackInfo) -> str:
    if pack.problem:
        return "not loaded; see below"
    return f"{len(pack.problems)} files failed; see below" if pack.problems else pack.description
