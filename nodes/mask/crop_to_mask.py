"""The surroundings of a mask."""

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Mask, Node, NodeContext, NodeOutputs, node


@node("crop_to_mask", lane="io")
class CropToMask(Node):
    """Cut a picture out around a mask, to work on that part at the size that a model likes best; paste_back puts it back.

    So a face in a large photo is inpainted at full resolution.
    """

    image: Image
    """The whole picture."""
    mask: Mask
    """Where it is going to change, in the picture's size."""
    margin: int = Field(default=32, ge=0, le=4096)
    """Pixels around the mask to cut out with it: what the model sees of the surroundings."""
    size: int | None = Field(default=None, ge=8, le=16384)
    """Resize what was cut out to this length of its longer side, such as 512 or 1024. Left empty: as it is."""
    multiple_of: int = Field(default=8, ge=1, le=1024)
    """Both sides of the result are multiples of this: 8 for most models."""

    class Outputs(NodeOutputs):
        """What was cut out, and where."""

        image: Image
        """The part of the picture."""
        mask: Mask
        """The part of the mask, in the same size."""
        box: list[int]
        """Where it was cut out: left, top, width and height in pixels of the whole picture."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises ValueError for a mask that is all black or of another size."""
        pixels, mask, box = diffusion.cut_out(
            self.image.pixels, self.mask.values, margin=self.margin, multiple=self.multiple_of, longest=self.size
        )
        return self.Outputs(image=Image(pixels), mask=Mask(mask), box=[box.left, box.top, box.width, box.height])
