"""The order of execution: which task is next, what waits for what, and when a result may go.

Device tasks run in the calling thread, one at a time; io tasks overlap them in a pool of threads. The loop runs on counters and a heap and never
scans the graph, so a run's cost grows linearly with what must run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event, get_ident
from typing import Any, Protocol

from graphflow.engine.control import RunControl
from graphflow.engine.services import Result
from graphflow.engine.tasks import Task

IO_THREADS = 16
_POLL_SECONDS = 0.05


class Upstream(Exception):
    """Something before this task failed."""


class Work(Protocol):
    """What the schedule asks of the run; `graphflow.engine.run` answers."""

    def is_available(self, task: Task) -> bool:
        """Whether a stored result will do; told once per task."""

    def fetch(self, task: Task) -> Result | None:
        """The stored result; None when it is gone by now."""

    def repair(self, task: Task) -> None:
        """A stored result is gone: give the task its dependencies, so that it can run. Raises what makes that impossible."""

    def start(self, task: Task) -> Callable[[], tuple[Result, float]]:
        """Get ready to run: the work as a function for the lane's thread. Raises what makes it impossible."""

    def finish(self, task: Task, result: Result, seconds: float) -> None:
        """The task has run."""

    def fail(self, task: Task, error: BaseException) -> None:
        """The task failed, or `Upstream` did before it."""


class _Frame:
    """One call of `run`: how many of its targets are still open. Lazy inputs nest frames."""

    __slots__ = ("depth", "left")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.left = 0


class Schedule:
    """Runs tasks until the wanted ones have a result or an error."""

    def __init__(self, work: Work, control: RunControl) -> None:
        self._work = work
        self._control = control
        self._ready: list[tuple[int, int, Task]] = []
        self._elements: list[tuple[int, int, Task]] = []
        """Elements of mapped io nodes that are ready: they wait for a free thread here, as what they load stays in memory until it is used."""
        self._walks = 0
        self._frames: list[_Frame] = []
        self._watching: dict[Task, list[_Frame]] = {}
        self._inflight = 0
        self._done: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None
        self._thread = get_ident()

    def close(self) -> None:
        """Wait for io tasks that still run and end their threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, targets: Iterable[Task]) -> None:
        """Give every target a result or an error.

        Raises RunCancelled once the run is cancelled.
        """
        frame = _Frame(len(self._frames))
        for task in targets:
            if task.result is None and task.error is None and frame not in self._watching.get(task, ()):
                self._watching.setdefault(task, []).append(frame)
                frame.left += 1
        self._frames.append(frame)
        try:
            self._prepare(targets, frame.depth)
            while frame.left:
                if self._control.is_cancelled:
                    self._control.check()
                self._step(frame)
        finally:
            self._frames.pop()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in the schedule's own thread and wait for it; how io tasks get their lazy inputs."""
        if get_ident() == self._thread:
            return function()
        answer: list[Any] = []
        raised: list[BaseException] = []
        ready = Event()

        def answer_request() -> None:
            try:
                answer.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                raised.append(error)
            finally:
                ready.set()

        self._done.put(answer_request)
        while not ready.wait(_POLL_SECONDS):
            self._control.check()
        if raised:
            raise raised[0]
        return answer[0]

    # -- one step -----------------------------------------------------------------------------------------------------

    def _step(self, frame: _Frame) -> None:
        if self._inflight:
            self._take_finished(wait=False)
        ready, elements = self._ready, self._elements
        if elements and self._inflight < IO_THREADS and (not ready or elements[0] < ready[0]):
            ready = elements
        if ready and -ready[0][0] >= frame.depth:
            task = heapq.heappop(ready)[2]
            if task.needed and not task.inflight and not task.waiting:
                self._start(task)
        elif self._inflight:
            self._take_finished(wait=True)
        elif frame.left:
            raise AssertionError("the schedule has open targets but nothing to run; this is a defect of graphflow")

    def _take_finished(self, *, wait: bool) -> None:
        try:
            settle = self._done.get(timeout=_POLL_SECONDS) if wait else self._done.get_nowait()
        except Empty:
            return
        settle()

    def _start(self, task: Task) -> None:
        for before in task.before:
            if before.result is None:
                if not self._fetch_inputs(task):
                    return
                break
        task.inflight = True
        try:
            job = self._work.start(task)
        except Exception as error:  # noqa: BLE001 - belongs to this task
            self._fail(task, error)
            return
        if task.ports.is_io:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(IO_THREADS, thread_name_prefix="graphflow-io")
            self._inflight += 1
            self._pool.submit(self._run_io, task, job)
        else:
            self._run_here(task, job)

    def _fetch_inputs(self, task: Task) -> bool:
        """Load the stored results that the task starts from; False when one is gone and must be made first."""
        gone = []
        for before in task.before:
            if before.result is None and before.error is None:
                before.result = self._work.fetch(before)
                if before.result is None:
                    gone.append(before)
        if not gone:
            return True
        for before in gone:
            task.waiting += 1
            before.consumers.append(task)
        for before in gone:
            self._repair(before, task.depth)
        return False

    def _repair(self, task: Task, depth: int) -> None:
        try:
            self._work.repair(task)
        except Exception as error:  # noqa: BLE001 - belongs to this task
            self._fail(task, error)
        else:
            self._prepare([task], depth)

    def _run_here(self, task: Task, job: Callable[[], tuple[Result, float]]) -> None:
        try:
            result, seconds = job()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - any kind of failure ends this branch only
            self._control.check()
            self._fail(task, error)
            return
        self._finish(task, result, seconds)

    def _run_io(self, task: Task, job: Callable[[], tuple[Result, float]]) -> None:
        try:
            result, seconds = job()
        except BaseException as error:  # noqa: BLE001 - any kind of failure ends this branch only
            failure = error
            self._done.put(lambda: self._settle_io(task, failure))
            return
        self._done.put(lambda: self._settle_io(task, None, result, seconds))

    def _settle_io(
        self, task: Task, error: BaseException | None, result: Result | None = None, seconds: float = 0.0
    ) -> None:
        self._inflight -= 1
        if error is not None:
            self._control.check()
            self._fail(task, error)
        elif result is not None:
            self._finish(task, result, seconds)

    # -- bookkeeping --------------------------------------------------------------------------------------------------

    def _prepare(self, targets: Iterable[Task], depth: int) -> None:
        """Walk back from the targets over tasks without results; count what each waits for; queue those that wait for nothing."""
        self._walks += 1
        walk = self._walks
        stack = [task for task in targets if task.result is None and task.error is None]
        while stack:
            task = stack.pop()
            if task.seen == walk or task.result is not None or task.error is not None:
                continue
            task.seen = walk
            task.depth = max(task.depth, depth)
            if task.needed:
                if not task.inflight and not task.waiting:
                    self._push(task)
                stack.extend(before for before in task.before if before.needed)
                continue
            if self._work.is_available(task):
                if task not in self._watching:
                    continue
                task.result = self._work.fetch(task)
                if task.result is not None:
                    self._settled(task)
                    continue
                self._repair(task, depth)
            else:
                self._need(task, stack)

    def _need(self, task: Task, stack: list[Task]) -> None:
        task.needed, task.inflight, task.waiting = True, False, 0
        broken = False
        for before in task.before:
            before.users += 1
            if before.error is not None:
                broken = True
            elif before.result is None and not self._is_leaf(before):
                task.waiting += 1
                before.consumers.append(task)
                stack.append(before)
        if task.doom is not None:
            self._fail(task, task.doom)
        elif broken:
            self._fail(task, Upstream())
        elif not task.waiting:
            self._push(task)

    def _is_leaf(self, task: Task) -> bool:
        return not task.needed and self._work.is_available(task)

    def _push(self, task: Task) -> None:
        waits = task.ports.is_io and task.element is not None
        heapq.heappush(self._elements if waits else self._ready, (-task.depth, task.priority, task))

    def _finish(self, task: Task, result: Result, seconds: float) -> None:
        task.result = result
        self._work.finish(task, result, seconds)
        for before in task.before:
            before.users -= 1
            if before.users <= 0 and not before.pinned:
                before.result = None
        consumers, task.consumers = task.consumers, []
        for after in consumers:
            after.waiting -= 1
            if not after.waiting and after.error is None:
                self._push(after)
        task.needed = False
        self._settled(task)
        if not task.users and not task.pinned:
            task.result = None

    def _fail(self, task: Task, error: BaseException) -> None:
        """Mark a task and everything behind it; the cause is told once, the rest as skipped."""
        stack = [(task, error)]
        while stack:
            failed, cause = stack.pop()
            if failed.error is not None:
                continue
            failed.error, failed.needed = cause, False
            self._work.fail(failed, cause)
            for before in failed.before:
                before.users -= 1
            stack.extend((after, Upstream()) for after in failed.consumers)
            failed.consumers = []
            self._settled(failed)

    def _settled(self, task: Task) -> None:
        if task in self._watching:
            for frame in self._watching.pop(task):
                frame.left -= 1
