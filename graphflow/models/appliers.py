"""The appliers of graphflow's own patches, registered by being imported here; packs register theirs in the same `PATCHES`."""

from graphflow.models.lora.patch import apply_loras
from graphflow.models.patches import PATCHES
from graphflow.models.textual_inversion import apply_words

__all__ = ["PATCHES", "apply_loras", "apply_words"]
