"""`graphflow.lock`: which graphflow, Python and packs gave a result, as TOML."""

from __future__ import annotations

import json
import platform

from blake3 import blake3

import graphflow
from graphflow.packs.discover import PackSource
from graphflow.packs.load import python_files
from graphflow.packs.registry import Registry

_HEAD = "# Made by `graphflow packs lock`. Two environments with the same lock have the same nodes.\n"


def lock_packs(registry: Registry) -> str:
    """The lock of everything installed, as TOML: packs by name, each with its version and a digest of its files."""
    lines = [_HEAD, f"graphflow = {_text(graphflow.__version__)}", f"python = {_text(platform.python_version())}"]
    for source in sorted(registry.sources(), key=lambda source: source.name):
        if not source.package:
            continue
        lines += ["", "[[pack]]", f"name = {_text(source.name)}", f"version = {_text(source.version)}"]
        lines.append(f"content = {_text(f'blake3:{content_digest(source)}')}")
        if source.requirements:
            lines.append(f"requirements = [{', '.join(_text(item) for item in source.requirements)}]")
    return "\n".join(lines) + "\n"


def content_digest(source: PackSource) -> str:
    """blake3 of a pack's Python files and `pack.toml`, hexadecimal; the same wherever the pack lies."""
    digest = blake3()
    files = [*python_files(source.folder), *(["pack.toml"] if (source.folder / "pack.toml").exists() else [])]
    for file in sorted(files):
        content = (source.folder / file).read_bytes()
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(value, ensure_ascii=False)
