"""`graphflow run`: run a workflow and print what it made."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphflow.cli.options import AsJson, Assignments, Device, File, Targets, Vram

if TYPE_CHECKING:
    from graphflow.cli.interrupt import Interruption
    from graphflow.cli.printers import RunPrinter
    from graphflow.engine.control import RunControl
    from graphflow.engine.report import RunReport
    from graphflow.settings import Settings


@dataclass(frozen=True)
class _Job:
    """What to run, and how."""

    file: Path
    assignments: list[str]
    targets: list[str]
    out: Path | None
    use_cache: bool
    dev: bool


def run(
    file: File,
    assignments: Assignments = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Copy what the run makes into this folder, under readable names.")
    ] = None,
    targets: Targets = None,
    as_json: AsJson = False,
    device: Device = None,
    vram: Vram = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every node, whatever is cached.")] = False,
    executor: Annotated[Literal["local"], typer.Option(help="Where the run takes place.")] = "local",
    dev: Annotated[
        bool, typer.Option("--dev", help="For authors of nodes: show tracebacks; find nodes that change their inputs.")
    ] = False,
) -> None:
    """Run a workflow, and print where what it made lies.

    What earlier runs have made is not made again. Ctrl-C stops after the present step, a second one at once.
    """
    from graphflow.cli.house import read_settings
    from graphflow.cli.printers import JsonPrinter, TextPrinter
    from graphflow.cli.progress import ProgressBars, wants_bars

    settings = read_settings(device=device, vram=vram)
    job = _Job(file, assignments or [], targets or [], out, use_cache=not no_cache, dev=dev)
    bars = ProgressBars() if wants_bars(as_json=as_json) else None
    raise typer.Exit(_perform(job, settings, JsonPrinter(bars) if as_json else TextPrinter(bars, dev=dev)))


def _perform(job: _Job, settings: Settings, printer: RunPrinter) -> int:
    """Do the job, tell of it, and return the exit code."""
    from graphflow.cli.exits import error_text, exit_code
    from graphflow.cli.interrupt import Interruption
    from graphflow.engine.control import RunControl
    from graphflow.errors import WorkflowError

    control = RunControl()
    try:
        with Interruption(control, printer.say) as interruption:
            return _run(job, settings, printer, control, interruption)
    except Exception as error:  # noqa: BLE001 - told in the user's words, or with a report of the defect
        printer.close()
        if job.dev:
            import traceback

            printer.say(traceback.format_exc().rstrip())
        findings = error.findings if isinstance(error, WorkflowError) else ()
        with suppress(BrokenPipeError):
            printer.refuse(error_text(error, settings.home), findings)
        return exit_code(error)


def _run(job: _Job, settings: Settings, printer: RunPrinter, control: RunControl, interruption: Interruption) -> int:
    from graphflow.cli.delivery import OutFolder
    from graphflow.cli.house import open_app
    from graphflow.cli.printers import EventFeed
    from graphflow.engine.plan import find_targets

    with open_app(settings, dev=job.dev) as app:
        graph = app.prepare(job.file, job.assignments)
        find_targets(graph, job.targets)  # unknown ones are told before anything runs
        feed = EventFeed(printer, OutFolder(job.out) if job.out is not None else None, control.cancel)
        report = interruption.wait_for(
            app.submit(graph, targets=job.targets, emit=feed, control=control, use_cache=job.use_cache)
        )
    feed.close()
    for problem in feed.problems:
        printer.say(problem)
    return _conclude(report, settings, printer, all_delivered=not feed.problems)


def _conclude(report: RunReport, settings: Settings, printer: RunPrinter, *, all_delivered: bool) -> int:
    """Tell why a run failed when no node did; the exit code."""
    from graphflow.cli.exits import ExitCode, write_report

    if not all_delivered:
        return ExitCode.FAILED
    if report.status == "cancelled":
        return ExitCode.CANCELLED
    if report.status == "succeeded":
        return ExitCode.DONE
    if report.message:
        place = write_report(report.traceback, settings.home) if report.traceback else None
        printer.say(f"{report.message}; the report is in {place}" if place is not None else report.message)
    return ExitCode.FAILED
