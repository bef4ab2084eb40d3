"""Pictures that the user brings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, InputFile, InputFileError, Mask, Node, NodeContext, NodeOutputs, node

if TYPE_CHECKING:
    from PIL import Image as Pil


@node("load_image", lane="io")
class LoadImage(Node):
    """Open a picture."""

    file: Annotated[str, InputFile("image")] = Field(min_length=1)
    """A file in the inputs folder, one beside the workflow, or a path. PNG, JPEG, WebP and what else Pillow reads."""

    class Outputs(NodeOutputs):
        """The picture and its transparency."""

        image: Image
        """The picture, turned upright, without transparency."""
        mask: Mask
        """Where the picture is transparent: 0 for opaque, 1 for fully transparent. All 0 for a picture without transparency."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Raises InputFileError for a file that is missing, damaged or no picture."""
        import torch

        pixels = diffusion.pixels_from_pil(_read(ctx.artifacts.input_path(self.file), self.file))
        transparent = 1 - pixels[:, 3] if pixels.shape[1] == 4 else torch.zeros(1, *pixels.shape[-2:])
        return self.Outputs(image=Image(pixels[:, :3].contiguous()), mask=Mask(transparent))


def _read(path: Path, name: str) -> "Pil.Image":
    """The first frame, upright as the camera's note says."""
    from PIL import Image as Pil, ImageOps, UnidentifiedImageError

    try:
        with Pil.open(path) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError:
        raise InputFileError(f'"{name}" is no picture that can be read; use PNG, JPEG or WebP') from None
    except Pil.DecompressionBombError as error:
        raise InputFileError(f'"{name}" is too large: {error}; make it smaller first') from None
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises any of these for damaged files
        raise InputFileError(f'"{name}" cannot be read: {error}; save it again as PNG') from error
