"""What flows on links. Nothing here imports torch."""

from graphflow.ports.audio import Audio
from graphflow.ports.base import PortType
from graphflow.ports.conditioning import Conditioning, ConditioningEntry
from graphflow.ports.control import Control
from graphflow.ports.file import File, ImageFile
from graphflow.ports.guider import (
    CfgGuidance,
    DualGuidance,
    Guider,
    PerpendicularGuidance,
    PerturbedAttentionGuidance,
    RangedGuidance,
    SkipLayerGuidance,
)
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
    Upscaler,
    Vae,
)
from graphflow.ports.noise import Noise
from graphflow.ports.schedule import NoiseSchedule
from graphflow.ports.speed import AttentionPatch, BlockCachePatch, CompilePatch, FusionPatch, with_speed
from graphflow.ports.table import Table
from graphflow.ports.video import Video

__all__ = [
    "AttentionPatch",
    "Audio",
    "BlockCachePatch",
    "CfgGuidance",
    "CompilePatch",
    "Conditioning",
    "ConditioningEntry",
    "Control",
    "ControlNet",
    "Denoiser",
    "DualGuidance",
    "File",
    "FusionPatch",
    "Guider",
    "Image",
    "ImageFile",
    "Instance",
    "Latent",
    "LoraPatch",
    "Mask",
    "ModelRecipe",
    "Noise",
    "NoiseSchedule",
    "NoiseSpec",
    "Patch",
    "PerpendicularGuidance",
    "PerturbedAttentionGuidance",
    "PortType",
    "RangedGuidance",
    "SkipLayerGuidance",
    "Table",
    "TextEncoder",
    "TextualInversionPatch",
    "Upscaler",
    "Vae",
    "Video",
    "with_speed",
]
