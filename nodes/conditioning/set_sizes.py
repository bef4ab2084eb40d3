"""What Stable Diffusion XL is told about sizes."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Field, Node, NodeContext, Slider, node


@node("set_sizes")
class SetSizes(Node):
    """Tell Stable Diffusion XL what size its picture is to look as if it had, and how it was cropped. Without this node: the size that is sampled.

    A small original size looks blurred, a crop looks cut off: both make good negative prompts.
    """

    conditioning: Conditioning
    """A prompt for Stable Diffusion XL, base or refiner."""
    width: int = Field(default=1024, ge=8, le=16384)
    """Width that the picture is to have, in pixels."""
    height: int = Field(default=1024, ge=8, le=16384)
    """Height that the picture is to have, in pixels."""
    original_width: int | None = Field(default=None, ge=1, le=16384)
    """Width from which it was scaled; left empty, the same."""
    original_height: int | None = Field(default=None, ge=1, le=16384)
    """Height from which it was scaled; left empty, the same."""
    crop_left: int = Field(default=0, ge=0, le=16384)
    """Pixels that were cut off on the left."""
    crop_top: int = Field(default=0, ge=0, le=16384)
    """Pixels that were cut off at the top."""
    aesthetic_score: Annotated[float | None, Slider(0, 10, step=0.5)] = Field(default=None, ge=0, le=10)
    """For the refiner only, which takes it in place of width and height: 6 for a good picture, 2.5 in a negative prompt. Left empty: for the base."""

    def run(self, ctx: NodeContext) -> Conditioning:
        """The prompt with the sizes."""
        sizes = diffusion.PictureSizes(
            height=self.height,
            width=self.width,
            original_height=self.original_height,
            original_width=self.original_width,
            crop_top=self.crop_top,
            crop_left=self.crop_left,
        )
        ids = sizes.base_ids() if self.aesthetic_score is None else sizes.refiner_ids(self.aesthetic_score)
        return diffusion.with_extra(self.conditioning, diffusion.TIME_IDS, ids)
