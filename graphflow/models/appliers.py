"""The appliers of graphflow's own patches, registered by being imported here; packs register theirs in the same `PATCHES`."""

from graphflow.models.attention import apply_attention, apply_fusion
from graphflow.models.block_cache import apply_block_cache
from graphflow.models.compilation import apply_compilation
from graphflow.models.lora.patch import apply_loras
from graphflow.models.patches import PATCHES
from graphflow.models.textual_inversion import apply_words

__all__ = [
    "PATCHES",
    "apply_attention",
    "apply_block_cache",
    "apply_compilation",
    "apply_fusion",
    "apply_loras",
    "apply_words",
]
