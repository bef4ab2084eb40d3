"""All commands by name; each one's module is imported when the command is called or its help is listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

_PLACES = {
    "run": "graphflow.cli.run:run",
    "check": "graphflow.cli.check:check",
    "plan": "graphflow.cli.plan:plan",
    "nodes": "graphflow.cli.nodes:nodes",
    "packs": "graphflow.cli.packs:packs",
    "models": "graphflow.cli.models:models",
    "cache": "graphflow.cli.cache:cache",
    "migrate": "graphflow.cli.migrate:migrate",
}
"""`module:name` of a function (one command) or a Typer (a group of them)."""


class _Commands(Mapping[str, Any]):
    """Commands by name, imported when asked for. Any: typer's command class has another home in each of its versions."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module, _, attribute = _PLACES[name].partition(":")
            self._loaded[name] = _command(name, getattr(import_module(module), attribute))
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


class _LazyGroup(TyperGroup):
    """A group that does not import the commands that nobody calls."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment] # read only: nothing is added later


def _command(name: str, found: Any) -> Any:
    """The command behind a function or a Typer."""
    if isinstance(found, typer.Typer):
        group = get_command(found)
        group.name = name
        return group
    single = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)
    single.command(name)(found)
    return get_command(single)


def _show_version(wanted: bool) -> None:
    if wanted:
        from graphflow import __version__
        from graphflow.cli.output import line

        line(f"graphflow {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Run workflows of diffusion models, and look after what they need.

    Exit codes: 0 done, 1 the workflow or its input is wrong, 2 wrong usage, 3 a node failed, 130 cancelled.
    """


def root_command() -> Any:
    """The whole command line, ready to be called. Any: as above.

    Help and errors are plain text: drawing them with rich takes as long as all the rest of `graphflow --help`.
    """
    app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(_root)
    return get_command(app)
