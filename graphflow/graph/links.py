"""Names in saved files: node ids, and `node.port` places."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""Ids of nodes, names of parameters and outputs."""
PLACE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_-]*")
"""`node.output` in a link, `node.input` in a parameter."""
SUBGRAPH = "workflow:"
"""What the type of a node begins with when it stands for another workflow file."""


def split_place(place: str) -> tuple[str, str]:
    """`node.port` -> node, port."""
    node, _, port = place.partition(".")
    return node, port


def each_link(link: str | list[str]) -> list[str]:
    """The links of an input as a list."""
    return [link] if isinstance(link, str) else link


def is_subgraph(type_name: str) -> bool:
    """Whether a saved type names another workflow file."""
    return type_name.startswith(SUBGRAPH)


def subgraph_file(type_name: str) -> str:
    """The file of a `workflow:<file>` type, relative to the folder of the file that names it."""
    return type_name[len(SUBGRAPH) :]


def subgraph_path_problem(file: str) -> str:
    """Why a subgraph's file name is not accepted, as a sentence; empty when it is."""
    if not file:
        return 'the type "workflow:" names no file; write "workflow:lighting.json".'
    if PurePosixPath(file).is_absolute() or PureWindowsPath(file).drive or "\\" in file or file.startswith("~"):
        return f'"{file}" is not accepted as a workflow file; give a path relative to this file, with forward slashes.'
    if not file.isprintable():
        return "the name of the workflow file holds control characters; give a plain relative path."
    return ""
