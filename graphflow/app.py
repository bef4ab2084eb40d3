"""The wiring: the only module that builds everything. Server, command line and tests all call `build_app`."""

from __future__ import annotations

import json
import logging
import platform
import uuid
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from graphflow.cache.artifacts import ArtifactStore
from graphflow.cache.disk import DiskTier
from graphflow.cache.memory import MemoryTier
from graphflow.cache.results import ResultCache
from graphflow.engine.control import RunControl
from graphflow.engine.events import EventSink
from graphflow.engine.executors import Executor, RunRequest
from graphflow.engine.executors.local import LocalExecutor
from graphflow.engine.explain import RunHistory
from graphflow.engine.plan import Action, Planned, find_targets, plan_run
from graphflow.engine.recipe import Recipes
from graphflow.engine.report import RunReport
from graphflow.engine.services import Services
from graphflow.errors import WorkflowError
from graphflow.graph import CheckResult, Document, carrying_files, check, dump_document, load_document, set_params
from graphflow.graph.graph import Graph
from graphflow.models.catalog import ModelCatalog
from graphflow.models.devices import salt
from graphflow.models.files import NamedFiles
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.store import ModelStore
from graphflow.packs.registry import Registry, build_registry
from graphflow.settings import Settings

if TYPE_CHECKING:
    from torch import device

log = logging.getLogger("graphflow")

ZOO_FOLDER = Path(__file__).parent / "zoo" / "models"


@dataclass(frozen=True)
class PlannedNode:
    """One step of a plan, for people."""

    node: str
    type: str
    action: Action
    models: tuple[tuple[str, int], ...]
    """Model files that the node names, with their bytes."""


class App:
    """One graphflow process: what it knows, where it keeps things, and how it runs workflows."""

    def __init__(self, settings: Settings, *, dev: bool = False) -> None:
        self.settings = settings
        self._dev = dev
        self.history = RunHistory(settings.home / "runs")

    @cached_property
    def registry(self) -> Registry:
        """Node types of all packs."""
        return build_registry(self.settings)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Files made for the user."""
        return ArtifactStore(self.settings.artifacts_folder)

    @cached_property
    def cache(self) -> ResultCache:
        """Results by key."""
        ram = self.settings.cache_ram
        return ResultCache(
            MemoryTier(psutil.virtual_memory().total // 10 if ram is None else ram),
            DiskTier(
                self.settings.cache_folder,
                self.settings.cache_disk,
                find_module=lambda name: self.registry.find_module(name),
            ),
            artifact_exists=self.artifacts.exists,
        )

    @cached_property
    def catalog(self) -> ModelCatalog:
        """Models by name."""
        return ModelCatalog(ZOO_FOLDER, self.settings.models_folder)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Content digests of files."""
        return Fingerprints(self.settings.home / "fingerprints.json")

    @cached_property
    def files(self) -> NamedFiles:
        """The files that inputs name."""
        return NamedFiles(self.catalog, self.fingerprints, self.settings.inputs_folder)

    @cached_property
    def models(self) -> ModelStore:
        """Model weights; torch is imported on first use."""
        return ModelStore(
            self.catalog,
            self.fingerprints,
            device=self.settings.device,
            precision=self.settings.precision,
            budget=self.settings.vram,
            attention=self.settings.attention,
        )

    @cached_property
    def salt(self) -> dict[str, str]:
        """What changes bits and stands in no workflow; part of every key."""
        return salt(self.settings.device, self.settings.precision, self.settings.attention)

    @cached_property
    def executor(self) -> Executor:
        """Where runs take place."""
        return LocalExecutor(self._services_of, self._after_run)

    def services(self, folder: Path = Path()) -> Services:
        """What the engine needs; model paths are relative to the folder."""
        return Services(
            classes=self.registry,
            cache=self.cache,
            models=self.models.relative_to(folder),
            artifacts=self.artifacts,
            files=self.files,
            device=self._device,
            salt=self.salt,
            dev=self._dev,
        )

    def _device(self) -> device:
        return self.models.device

    def load(self, path: Path | str) -> Document:
        """Read a saved workflow, or the one inside a picture. Raises WorkflowError with all findings."""
        return load_document(path)

    def check(self, document: Document) -> CheckResult:
        """Everything that is wrong with a workflow, and the graph when nothing is. Fetches nothing."""
        return check(document, self.registry, files=self.files)

    def prepare(self, path: Path | str, assignments: Iterable[str] = ()) -> Graph:
        """Load, set parameters (`NAME=VALUE` texts) and check. Raises WorkflowError with all findings."""
        document = self.load(path)
        given = list(assignments)
        return self.prepare_document(set_params(document, given, self.registry) if given else document)

    def prepare_document(self, document: Document) -> Graph:
        """Check a workflow that is in memory. Raises WorkflowError with all findings."""
        result = self.check(document)
        if result.graph is None:
            raise WorkflowError([finding for finding in result.findings if finding.severity == "error"])
        result.graph.text = dump_document(carrying_files(document, self.registry), self.registry)
        return result.graph

    def plan(self, graph: Graph, targets: Iterable[str] = ()) -> list[PlannedNode]:
        """What a run would do, in its order; reads headers and keys only. Raises WorkflowError for unknown targets."""
        local = replace(self.files, catalog=replace(self.catalog, allow_download=False))
        recipes = Recipes(graph, replace(self.services(graph.folder), files=local))
        steps = plan_run(recipes, find_targets(graph, targets), self.cache.contains)
        return [self._planned(graph, step) for step in steps]

    def _planned(self, graph: Graph, step: Planned) -> PlannedNode:
        node = graph.nodes[step.node]
        names = [
            (node.values.get(port.name, port.default), port)
            for port in node.schema.inputs
            if port.file_kind == "ModelFile" and port.name not in node.links
        ]
        models = tuple(
            (str(name), self.files.model_bytes(port, str(name), graph.folder)) for name, port in names if name
        )
        return PlannedNode(node.id, node.schema.type, step.action, models)

    def submit(
        self,
        graph: Graph,
        *,
        targets: Iterable[str] = (),
        emit: EventSink | None = None,
        control: RunControl | None = None,
        use_cache: bool = True,
    ) -> Future[RunReport]:
        """Queue a run on the device's worker. The report always comes; events arrive in the worker's threads."""
        return self.executor.submit(self._request(graph, targets, emit, control, use_cache=use_cache))

    def run(
        self,
        graph: Graph,
        *,
        targets: Iterable[str] = (),
        emit: EventSink | None = None,
        control: RunControl | None = None,
        use_cache: bool = True,
    ) -> RunReport:
        """Run a graph and wait. Never raises for what goes wrong in the run: that stands in the report."""
        return self.submit(graph, targets=targets, emit=emit, control=control, use_cache=use_cache).result()

    def _request(
        self,
        graph: Graph,
        targets: Iterable[str],
        emit: EventSink | None,
        control: RunControl | None,
        *,
        use_cache: bool,
    ) -> RunRequest:
        return RunRequest(
            graph,
            run=uuid.uuid4().hex,
            targets=tuple(targets),
            control=control or RunControl(),
            emit=emit or _quiet,
            provenance=lambda: self._provenance(graph),
            use_cache=use_cache,
        )

    def _services_of(self, request: RunRequest) -> Services:
        return self.services(request.graph.folder)

    def _after_run(self, request: RunRequest, report: RunReport) -> None:
        """Everything is on disk before the run counts as over, and the next `--explain` can tell of it."""
        self.cache.flush()
        if request.graph.file:
            try:
                self.history.keep(request.graph.file, report.records())
            except OSError as error:
                log.warning("the record of this run could not be written: %s", error)

    def _provenance(self, graph: Graph) -> dict[str, str]:
        packs = {node.schema.pack for node in graph.nodes}
        versions = {
            "graphflow": _version("graphflow"),
            "python": platform.python_version(),
            **{f"pack {name}": self.registry.pack_version(name) or "?" for name in sorted(packs)},
            **self.salt,
        }
        hashes = self._model_hashes(graph)
        return {"graphflow": graph.text, "graphflow_versions": json.dumps({"versions": versions, "models": hashes})}

    def _model_hashes(self, graph: Graph) -> dict[str, str]:
        found = {}
        for node in graph.nodes:
            for port in node.schema.inputs:
                name = node.values.get(port.name, port.default)
                if port.file_kind == "ModelFile" and isinstance(name, str) and name and port.name not in node.links:
                    found[name] = self.files.fingerprint(port, name, graph.folder)
        return found

    def explain(self, node: str) -> list[str]:
        """Why a node ran in its newest run, or did not, as lines; empty when no run has such a node."""
        return self.history.explain(node)

    def close(self) -> None:
        """Finish what runs, and write what waits to be written."""
        for name in ("executor", "cache", "fingerprints"):
            if name in self.__dict__:
                getattr(self, name).close()


def _quiet(event: object) -> None:
    """Nobody listens."""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def build_app(settings: Settings | None = None, *, dev: bool = False) -> App:
    """A graphflow process from its settings; parts are made when first used. Imports no torch.

    `dev` makes every node's inputs be watched for changes in place.
    """
    return App(settings or Settings(), dev=dev)
