from __future__ import annotations

import pytest
from graphflow.packs.builtin.loaders.load_checkpoint import LoadCheckpoint

from graphflow import Checkpoint, Denoiser, ModelError, TextEncoder, Vae
from graphflow.errors import ModelNotFound
from graphflow.testing import FakeContext, FakeModels, run_node


def test_three_parts_come_out(ctx: FakeContext) -> None:
    parts = run_node(LoadCheckpoint(file="tiny"), ctx)
    assert (type(parts["denoiser"]), type(parts["text_encoder"]), type(parts["vae"])) == (Denoiser, TextEncoder, Vae)


def test_no_weights_are_read(ctx: FakeContext) -> None:
    run_node(LoadCheckpoint(file="tiny"), ctx)
    assert ctx.models.used == []


def test_the_precision_goes_into_every_recipe(ctx: FakeContext) -> None:
    parts = run_node(LoadCheckpoint(file="tiny", precision="fp32"), ctx)
    assert {part.precision for part in parts.values()} == {"fp32"}


def test_a_file_without_a_part_says_what_it_holds() -> None:
    only_vae = Checkpoint("vae.safetensors", "sd15", "diffusers", {"vae": Vae("vae.safetensors", "0", "sd15", "vae")})
    ctx = FakeContext(models=FakeModels(checkpoints={"vae.safetensors": only_vae}))
    with pytest.raises(ModelError, match="holds vae, but no unet"):
        run_node(LoadCheckpoint(file="vae.safetensors"), ctx)


def test_an_unknown_name_is_the_catalogues_error() -> None:
    with pytest.raises(ModelNotFound):
        run_node(LoadCheckpoint(file="nowhere"))


def xl(*parts: str) -> FakeContext:
    """A context whose "xl" has these text encoders."""
    encoders = {part: TextEncoder("xl", "0", "sdxl", part) for part in parts}
    whole = {"unet": Denoiser("xl", "0", "sdxl", "unet"), "vae": Vae("xl", "0", "sdxl", "vae"), **encoders}
    return FakeContext(models=FakeModels(checkpoints={"xl": Checkpoint("xl", "sdxl", "original", whole)}))


def test_two_text_encoders_come_out_as_one() -> None:
    first = run_node(LoadCheckpoint(file="xl", precision="bf16"), xl("text_encoder", "text_encoder_2"))["text_encoder"]
    assert (first.part, first.second.part) == ("text_encoder", "text_encoder_2")
    assert {first.precision, first.second.precision} == {"bf16"}


def test_a_refiner_has_the_second_text_encoder_only() -> None:
    encoder = run_node(LoadCheckpoint(file="xl"), xl("text_encoder_2"))["text_encoder"]
    assert (encoder.part, encoder.second) == ("text_encoder_2", None)
