"""Open the part of a model that reads prompts."""

from dataclasses import replace
from typing import Annotated

from graphflow import Checkpoint, Field, ModelError, ModelFile, Node, NodeContext, TextEncoder, node

from ._parts import Precision, text_encoder_of


@node("load_text_encoder", cache="disk", lane="io")
class LoadTextEncoder(Node):
    """Open the text encoder alone: one that comes in its own file, two that come in two, or those inside a whole checkpoint.

    Stable Diffusion XL reads prompts with two: CLIP-L and OpenCLIP-bigG. Its refiner reads with the second one only.
    """

    file: Annotated[str, ModelFile("text_encoders")] = Field(default="tiny-sd", min_length=1)
    """Name of a file or diffusers folder in models/text_encoders or models/checkpoints, a path, or a Hugging Face id such as owner/name."""
    second_file: Annotated[str, ModelFile("text_encoders")] = ""
    """The other one for Stable Diffusion XL; the order of the two does not matter. Left empty: what file holds is all."""
    precision: Precision = "auto"
    """Number format of the weights. auto is right for the device; fp32 is exact and slow."""

    def run(self, ctx: NodeContext) -> TextEncoder:
        """Describe the files; raises ModelError when they hold no text encoder, or two that do not belong together."""
        checkpoint = ctx.models.inspect(self.file, "text_encoders")
        if not self.second_file:
            return text_encoder_of(checkpoint, precision=self.precision)
        other = ctx.models.inspect(self.second_file, "text_encoders")
        first, second = self._in_order(checkpoint, other)
        return replace(first, second=second, family=second.family, precision=self.precision)

    def _in_order(self, one: Checkpoint, other: Checkpoint) -> tuple[TextEncoder, TextEncoder]:
        """The encoder of CLIP's kind and the one with a projection, wherever they are."""
        for left, right in ((one, other), (other, one)):
            first, second = left.parts.get("text_encoder"), right.parts.get("text_encoder_2")
            if isinstance(first, TextEncoder) and isinstance(second, TextEncoder):
                return first, replace(second, precision=self.precision)
        held = " and ".join(f'"{each.file}" holds {" and ".join(sorted(each.parts))}' for each in (one, other))
        raise ModelError(
            f"Stable Diffusion XL reads with a text_encoder (CLIP-L) and a text_encoder_2 (OpenCLIP-bigG), but {held}. "
            "Choose one of each; models of other families read with one file alone"
        )
