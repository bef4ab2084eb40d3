"""What a node is: the class, its ports, its context, its migrations."""

from graphflow.authoring.context import Adapter, ArtifactService, Checkpoint, ModelService, NodeContext
from graphflow.authoring.lazy import Lazy
from graphflow.authoring.migration import SavedNodeEdit, migration
from graphflow.authoring.node import Node, NodeOutputs, node
from graphflow.authoring.widgets import MAX_SEED, InputFile, LongText, ModelFile, Regions, Seed, Slider, Widget

__all__ = [
    "MAX_SEED",
    "Adapter",
    "ArtifactService",
    "Checkpoint",
    "InputFile",
    "Lazy",
    "LongText",
    "ModelFile",
    "ModelService",
    "Node",
    "NodeContext",
    "NodeOutputs",
    "Regions",
    "SavedNodeEdit",
    "Seed",
    "Slider",
    "Widget",
    "migration",
    "node",
]
