"""What flows on links. Nothing here imports torch."""

from graphflow.ports.audio import Audio
from graphflow.ports.base import PortType
from graphflow.ports.conditioning import Conditioning, ConditioningEntry
from graphflow.ports.control import Control
from graphflow.ports.file import File, ImageFile
from graphflow.ports.image import Image
from graphflow.ports.instance import Instance
from graphflow.ports.latent import Latent
from graphflow.ports.mask import Mask
from graphflow.ports.model import (
    ControlNet,
    Denoiser,
    LoraPatch,
    ModelRecipe,
    NoiseSpec,
    Patch,
    TextEncoder,
    TextualInversionPatch,
    Vae,
)
from graphflow.ports.speed import AttentionPatch, BlockCachePatch, CompilePatch, FusionPatch, speed_patches
from graphflow.ports.table import Table
from graphflow.ports.video import Video

__all__ = [
    "AttentionPatch",
    "Audio",
    "BlockCachePatch",
    "CompilePatch",
    "Conditioning",
    "ConditioningEntry",
    "Control",
    "ControlNet",
    "Denoiser",
    "File",
    "FusionPatch",
    "Image",
    "ImageFile",
    "Instance",
    "Latent",
    "LoraPatch",
    "Mask",
    "ModelRecipe",
    "NoiseSpec",
    "Patch",
    "PortType",
    "Table",
    "TextEncoder",
    "TextualInversionPatch",
    "Vae",
    "Video",
    "speed_patches",
]
