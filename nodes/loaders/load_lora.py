"""Put a LoRA on a model."""

from dataclasses import replace
from typing import Annotated

from graphflow import (
    Adapter,
    Denoiser,
    Field,
    LoraPatch,
    ModelError,
    ModelFile,
    Node,
    NodeContext,
    NodeOutputs,
    Slider,
    TextEncoder,
    node,
)


@node("load_lora", cache="disk", lane="io")
class LoadLora(Node):
    """Change what a model draws by a LoRA: a small file with a style, a person or a thing.

    Reads LoRA, LoCon, LoHa, LoKr and DoRA files of kohya's tools, diffusers and PEFT. Use several of these nodes in a row for several LoRAs;
    their order does not matter. A LoRA that does not fit the model as a whole is refused, with the keys that do not fit.
    """

    denoiser: Denoiser
    """The model that draws."""
    text_encoder: TextEncoder | None = None
    """The part that reads prompts, which many LoRAs change too."""
    file: Annotated[str, ModelFile("loras")] = Field(min_length=1)
    """Name of a file in the folder models/loras, of a PEFT folder there, a path, or a Hugging Face id such as owner/name."""
    strength_model: Annotated[float, Slider(-1, 2, step=0.05)] = Field(default=1.0, ge=-100, le=100)
    """How strongly it changes the denoiser: 1 as it was trained, 0 not at all; less than 0 turns it round."""
    strength_text: Annotated[float, Slider(-1, 2, step=0.05)] = Field(default=1.0, ge=-100, le=100)
    """The same for the text encoder. 0 leaves its part of the file out."""
    start: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=0.0, ge=0, le=1)
    """How far down the noise it begins to change the denoiser: 0 at all noise, 1 at none. Layout is decided first, details last."""
    end: Annotated[float, Slider(0, 1, step=0.05)] = Field(default=1.0, ge=0, le=1)
    """How far down the noise it stops."""
    end_strength: float | None = Field(default=None, ge=-100, le=100)
    """Strength at the end, reached in a straight line from strength_model at the start. Left empty: the same all the way."""

    class Outputs(NodeOutputs):
        """The same model, changed."""

        denoiser: Denoiser
        """The denoiser with the LoRA."""
        text_encoder: TextEncoder | None
        """The text encoder with the LoRA; nothing where none was given."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Add the LoRA to the recipes; raises ModelError when some of it would not apply."""
        if self.start >= self.end:
            raise ValueError(
                f"a LoRA from {self.start:g} to {self.end:g} of the way never applies; start must be less than end"
            )
        bases = [self.denoiser, *_encoders(self.text_encoder)]
        adapter = ctx.models.inspect_adapter(self.file, bases)
        self._check_all_used(adapter, {base.part for base in bases})
        return self.Outputs(
            denoiser=self._patched_denoiser(adapter),
            text_encoder=self._patched_encoder(self.text_encoder, adapter),
        )

    def _check_all_used(self, adapter: Adapter, linked: set[str]) -> None:
        left = [part for part in adapter.parts if part not in linked]
        if self.strength_text == 0:
            left = [part for part in left if not part.startswith("text_encoder")]
        if left:
            raise ModelError(
                f'"{self.file}" also changes the {" and ".join(left)} of a model, which this node does not get; '
                "link it to the node, or set strength_text to 0 to leave a text encoder's part out"
            )

    def _patched_denoiser(self, adapter: Adapter) -> Denoiser:
        changes = self.strength_model != 0 or bool(self.end_strength)
        if not changes or self.denoiser.part not in adapter.parts:
            return self.denoiser
        patch = LoraPatch(
            adapter.file,
            adapter.fingerprint,
            self.strength_model,
            self.denoiser.part,
            start=self.start,
            end=self.end,
            end_strength=self.end_strength,
        )
        return self.denoiser.patched(patch)

    def _patched_encoder(self, encoder: TextEncoder | None, adapter: Adapter) -> TextEncoder | None:
        """Both encoders where a family reads with two."""
        if encoder is None:
            return None
        both = replace(encoder, second=self._patched_encoder(encoder.second, adapter)) if encoder.second else encoder
        if self.strength_text == 0 or encoder.part not in adapter.parts:
            return both
        return both.patched(LoraPatch(adapter.file, adapter.fingerprint, self.strength_text, encoder.part))


def _encoders(encoder: TextEncoder | None) -> list[TextEncoder]:
    """The encoders that travel as one."""
    return [] if encoder is None else [encoder, *_encoders(encoder.second)]
