"""Pictures for the user."""

from io import BytesIO
from typing import TYPE_CHECKING

import graphflow.diffusion as diffusion
from graphflow import Field, Image, ImageFile, Node, NodeContext, NodeOutputs, node

if TYPE_CHECKING:
    from torch import Tensor


@node("save_image", sink=True, lane="io", cache="disk")
class SaveImage(Node):
    """Save a picture as PNG, with the workflow inside, so that `graphflow run picture.png` makes it again."""

    image: Image
    """One picture or several; each one becomes a file."""
    prefix: str = Field(default="image", max_length=80)
    """Beginning of the file name. `portraits/ann` saves into a folder of its own."""
    compression: int = Field(default=6, ge=0, le=9)
    """How hard to compress: 0 fast and large, 9 slow and small. The picture stays the same."""

    class Outputs(NodeOutputs):
        """The saved files."""

        image: ImageFile
        """The saved picture; of several, the first one."""
        images: list[ImageFile]
        """All saved pictures."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Save each picture of the batch."""
        notes = ctx.artifacts.provenance()
        files = [self._save(ctx, pixels, notes) for pixels in ctx.progress(list(self.image.pixels), "saving")]
        return self.Outputs(image=files[0], images=files)

    def _save(self, ctx: NodeContext, pixels: "Tensor", notes: dict[str, str]) -> ImageFile:
        return ctx.artifacts.save_image(
            encode_png(pixels, notes=notes, compression=self.compression),
            suffix=".png",
            media_type="image/png",
            width=int(pixels.shape[-1]),
            height=int(pixels.shape[-2]),
            prefix=self.prefix,
        )


def encode_png(pixels: "Tensor", *, notes: dict[str, str], compression: int) -> bytes:
    """A picture `[channels, height, width]`, 0 to 1, as PNG with texts inside; the same bytes for the same input."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for name, text in sorted(notes.items()):
        if text.isascii():
            info.add_text(name, text)
        else:
            info.add_itxt(name, text)
    buffer = BytesIO()
    diffusion.pil_from_pixels(pixels).save(buffer, "PNG", pnginfo=info, compress_level=compression)
    return buffer.getvalue()
