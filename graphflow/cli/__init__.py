"""The `graphflow` command: parse, call, print.

One file per command, imported when that command is used; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (that of this process by default) and return its exit code; see `graphflow.cli.exits`."""
    from graphflow.cli.commands import root_command
    from graphflow.cli.exits import code_of, tell_error
    from graphflow.cli.output import finish_streams, prepare_streams

    prepare_streams()
    try:
        root_command().main(args=None if arguments is None else list(arguments), prog_name="graphflow")
        code = 0
    except SystemExit as stop:
        code = code_of(stop)
    except BaseException as error:  # noqa: BLE001 - nothing may reach the user as a bare traceback
        code = tell_error(error)
    return finish_streams(code)
