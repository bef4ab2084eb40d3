"""Packs that a workflow was saved with."""

from __future__ import annotations

import re

from graphflow.graph.document import Document
from graphflow.graph.findings import FindingList
from graphflow.graph.graph import NodeTypes


def newer_packs(doc: Document, types: NodeTypes, findings: FindingList) -> None:
    """Warn of packs that are installed in an older version than the one that saved the workflow."""
    for pack, saved in doc.packs.items():
        installed = types.pack_version(pack)
        if installed is not None and _numbers(installed)[: len(_numbers(saved))] < _numbers(saved):
            message = f'it was saved with the pack "{pack}" {saved}, but {installed} is installed; update the pack.'
            findings.add(message, file=doc.label, code="older_pack", severity="warning")


def _numbers(version: str) -> list[int]:
    """The leading numbers of a version: `1.2.0rc1` -> 1, 2, 0."""
    return [int(part[:18]) for part in re.findall(r"\d+", re.split(r"[^\d.]", version, maxsplit=1)[0])]
