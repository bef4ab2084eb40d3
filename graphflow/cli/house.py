"""Settings and the app for a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from graphflow.app import App
    from graphflow.settings import Settings


def read_settings(**given: Any) -> Settings:
    """The settings, with those options that were given. Raises typer.BadParameter, naming the setting, when one is wrong.

    Any: the settings themselves check what is given.
    """
    import tomllib

    from pydantic import ValidationError

    from graphflow.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise typer.BadParameter("\n".join(_setting_problem(problem) for problem in error.errors())) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"graphflow.toml cannot be read: {error}.") from None


@contextmanager
def open_app(settings: Settings | None = None, *, dev: bool = False) -> Iterator[App]:
    """The app, closed at the end."""
    chosen = read_settings() if settings is None else settings

    from graphflow.app import build_app

    app = build_app(chosen, dev=dev)
    try:
        yield app
    finally:
        app.close()


def _setting_problem(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"the setting {name} (GRAPHFLOW_{name.upper()} or graphflow.toml): {text}."
