"""Several masks as one."""

import graphflow.diffusion as diffusion
from graphflow import Mask, Node, NodeContext, node
from graphflow.diffusion import MaskCombination


@node("combine_masks", lane="io")
class CombineMasks(Node):
    """Join masks of one size."""

    masks: list[Mask]
    """The masks; the order counts for difference."""
    how: MaskCombination = "union"
    """union: white in any of them. intersection: in all. difference: in the first and no other. exclusion: in one or the other, not in both."""

    def run(self, ctx: NodeContext) -> Mask:
        """Raises ValueError for no mask, and for sizes that differ."""
        return Mask(diffusion.combine_masks([mask.values for mask in self.masks], self.how))
