"""Pictures for the user."""

from typing import TYPE_CHECKING, Annotated, Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Image, ImageFile, Node, NodeContext, NodeOutputs, Slider, node

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@node("save_image", sink=True, lane="io", cache="disk")
class SaveImage(Node):
    """Save a picture with the workflow inside, so that `graphflow run picture.png` makes it again."""

    image: Image
    """One picture or several; each one becomes a file."""
    prefix: str = Field(default="image", max_length=500)
    """Beginning of the file name. `portraits/ann` saves into a folder of its own. Names that are too long for a file are cut."""
    format: Literal["png", "jpeg", "webp"] = "png"
    """png keeps every pixel. jpeg is small and opens everywhere; webp is smaller still, and keeps transparency."""
    compression: int = Field(default=6, ge=0, le=9)
    """PNG: how hard to compress, 0 fast and large, 9 slow and small. The picture stays the same."""
    quality: Annotated[int, Slider(1, 100)] = Field(default=90, ge=1, le=100)
    """JPEG and WebP: 90 looks like the original, 70 is half the size."""
    lossless: bool = False
    """WebP: keep every pixel, as PNG does, in a smaller file."""
    background: str = Field(default="white", max_length=50)
    """JPEG, which has no transparency: the colour behind transparent parts."""

    class Outputs(NodeOutputs):
        """The saved files."""

        image: ImageFile
        """The saved picture; of several, the first one."""
        images: list[ImageFile]
        """All saved pictures."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Save each picture of the batch. Raises ValueError for one that is too large for the format."""
        notes = ctx.artifacts.provenance()
        files = [self._save(ctx, pixels, notes) for pixels in ctx.progress(list(self.image.pixels), "saving")]
        return self.Outputs(image=files[0], images=files)

    def _save(self, ctx: NodeContext, pixels: "Tensor", notes: dict[str, str]) -> ImageFile:
        return ctx.artifacts.save_image(
            self._encoded(pixels, notes),
            suffix=SUFFIXES[self.format],
            media_type=f"image/{self.format}",
            width=int(pixels.shape[-1]),
            height=int(pixels.shape[-2]),
            prefix=self.prefix,
        )

    def _encoded(self, pixels: "Tensor", notes: dict[str, str]) -> bytes:
        if self.format == "jpeg":
            return diffusion.encode_jpeg(pixels, notes=notes, quality=self.quality, background=self.background)
        if self.format == "webp":
            return diffusion.encode_webp(pixels, notes=notes, quality=self.quality, lossless=self.lossless)
        return diffusion.encode_png(pixels, notes=notes, compression=self.compression)
