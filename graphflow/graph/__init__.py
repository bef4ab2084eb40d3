"""Saved workflows: reading, writing, checking, setting parameters, and the graph that is run."""

from graphflow.graph.check import CheckResult, FileFinder, check
from graphflow.graph.document import FORMAT, Document, SavedNode
from graphflow.graph.graph import Graph, GraphNode, NodeTypes, Source
from graphflow.graph.load import load_document, parse_document
from graphflow.graph.migrate import migrate_document
from graphflow.graph.params import set_params
from graphflow.graph.save import dump_document, save_document
from graphflow.graph.shape import document_from
from graphflow.graph.subgraphs import carrying_files

__all__ = [
    "FORMAT",
    "CheckResult",
    "Document",
    "FileFinder",
    "Graph",
    "GraphNode",
    "NodeTypes",
    "SavedNode",
    "Source",
    "carrying_files",
    "check",
    "document_from",
    "dump_document",
    "load_document",
    "migrate_document",
    "parse_document",
    "save_document",
    "set_params",
]
