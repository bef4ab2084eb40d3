"""`pack.toml`: what a pack says of itself, readable without importing it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from graphflow.errors import PackError

FILE_NAME = "pack.toml"
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"


def _version(text: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion:
        raise ValueError(f"{text!r} is not a version; write one such as 0.1.0") from None


def _range(text: str) -> str:
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is not a range of versions; write one such as >=0.3 or >=0.3,<1") from None


def _requirement(text: str) -> str:
    try:
        return str(Requirement(text))
    except InvalidRequirement:
        raise ValueError(f"{text!r} is not a requirement; write one such as scipy>=1.10") from None


class PackManifest(BaseModel):
    """The fields of `pack.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=NAME_PATTERN)
    """Goes before the names of its nodes: `glow` in `glow.halo`."""
    version: Annotated[str, AfterValidator(_version)]
    graphflow: Annotated[str, AfterValidator(_range)] = ""
    """Versions of graphflow that the pack is written for, such as `>=0.3`; empty means any."""
    description: str = ""
    author: str = ""
    license: str = ""
    requirements: list[Annotated[str, AfterValidator(_requirement)]] = Field(default=[])
    """Python packages that the pack needs, as pip names them."""

    def accepts(self, graphflow_version: str) -> bool:
        """Whether the pack is written for that version of graphflow."""
        return SpecifierSet(self.graphflow).contains(graphflow_version, prereleases=True)


def read_manifest(folder: Path) -> PackManifest:
    """Read and check `pack.toml`. Raises PackError that lists everything wrong with it."""
    path = folder / FILE_NAME
    try:
        saved = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PackError(
            f'{folder}: there is no {FILE_NAME}; a pack needs one with at least name = "..." and version = "0.1.0".'
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PackError(f"{path}: it cannot be read as TOML: {error}") from None
    try:
        return PackManifest.model_validate(saved)
    except ValidationError as error:
        raise PackError("\n".join(f"{path}: {line}" for line in _explain(error))) from None


def _explain(error: ValidationError) -> list[str]:
    known = ", ".join(PackManifest.model_fields)
    lines = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            lines.append(f'"{field}" is missing; add it.')
        elif problem["type"] == "extra_forbidden":
            lines.append(f'"{field}" is not known; use {known}.')
        elif problem["type"] == "string_pattern_mismatch":
            lines.append(
                f'"{field}": {problem["input"]!r} is not accepted; use lower-case letters, digits and underscores.'
            )
        else:
            lines.append(f'"{field}": {problem["msg"].removeprefix("Value error, ")}.')
    return lines
