from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from graphflow.packs.builtin.loaders.load_lora import LoadLora
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from graphflow import Adapter, Denoiser, LoraPatch, ModelError, TextEncoder
from graphflow.errors import ModelMismatch, ModelNotFound
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.store import ModelStore
from graphflow.testing import FakeContext, FakeModels, run_node

BOTH = Adapter("style", "f1", ("unet", "text_encoder"))
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture
def ctx() -> FakeContext:
    adapters = {
        "style": BOTH,
        "pose": Adapter("pose", "f2", ("unet",)),
        "xl": replace(BOTH, parts=("unet", "text_encoder_2")),
    }
    return FakeContext(models=FakeModels(adapters=adapters))


def test_both_recipes_get_the_lora_with_their_own_strength(
    ctx: FakeContext, denoiser: Denoiser, text_encoder: TextEncoder
) -> None:
    node = LoadLora(denoiser=denoiser, text_encoder=text_encoder, file="style", strength_model=0.8, strength_text=0.5)
    parts = run_node(node, ctx)
    assert parts["denoiser"] == denoiser.patched(LoraPatch("style", "f1", 0.8, "unet"))
    assert parts["text_encoder"] == text_encoder.patched(LoraPatch("style", "f1", 0.5, "text_encoder"))
    assert ctx.models.used == []


def test_both_encoders_of_a_family_that_reads_with_two_are_changed(
    ctx: FakeContext, denoiser: Denoiser, text_encoder: TextEncoder
) -> None:
    second = replace(text_encoder, part="text_encoder_2")
    both = replace(text_encoder, second=second)
    encoder = run_node(LoadLora(denoiser=denoiser, text_encoder=both, file="xl", strength_text=0.5), ctx)[
        "text_encoder"
    ]
    assert encoder.patches == ()
    assert encoder.second == second.patched(LoraPatch("style", "f1", 0.5, "text_encoder_2"))


def test_loras_stack(ctx: FakeContext, denoiser: Denoiser) -> None:
    once = run_node(LoadLora(denoiser=denoiser, file="pose"), ctx)
    assert once["text_encoder"] is None
    twice = run_node(LoadLora(denoiser=once["denoiser"], file="pose", strength_model=-1.0), ctx)
    assert twice["denoiser"].patches == (LoraPatch("pose", "f2"), LoraPatch("pose", "f2", -1.0))


def test_the_denoisers_part_follows_the_schedule_and_the_text_encoders_does_not(
    ctx: FakeContext, denoiser: Denoiser, text_encoder: TextEncoder
) -> None:
    way = {"start": 0.2, "end": 0.8, "end_strength": 0.5}
    parts = run_node(LoadLora(denoiser=denoiser, text_encoder=text_encoder, file="style", **way), ctx)
    assert parts["denoiser"].patches == (LoraPatch("style", "f1", 1.0, "unet", **way),)
    assert parts["text_encoder"].patches == (LoraPatch("style", "f1", 1.0, "text_encoder"),)


def test_a_strength_that_rises_from_zero_is_a_change(ctx: FakeContext, denoiser: Denoiser) -> None:
    rising = run_node(LoadLora(denoiser=denoiser, file="pose", strength_model=0, end_strength=1.0), ctx)["denoiser"]
    assert [patch.at(0.5) for patch in rising.patches] == [LoraPatch("pose", "f2", 0.5)]


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (0.8, 0.2), (1.0, 1.0)])
def test_a_way_that_ends_before_it_begins_is_refused(
    ctx: FakeContext, denoiser: Denoiser, start: float, end: float
) -> None:
    with pytest.raises(ValueError, match="start must be less than end"):
        run_node(LoadLora(denoiser=denoiser, file="pose", start=start, end=end), ctx)


def test_strength_zero_leaves_the_recipe_as_it_is(
    ctx: FakeContext, denoiser: Denoiser, text_encoder: TextEncoder
) -> None:
    node = LoadLora(denoiser=denoiser, text_encoder=text_encoder, file="style", strength_model=0, strength_text=0)
    assert run_node(node, ctx) == {"denoiser": denoiser, "text_encoder": text_encoder}


def test_a_text_encoder_that_the_file_leaves_alone_passes_through(
    ctx: FakeContext, denoiser: Denoiser, text_encoder: TextEncoder
) -> None:
    assert (
        run_node(LoadLora(denoiser=denoiser, text_encoder=text_encoder, file="pose"), ctx)["text_encoder"]
        is text_encoder
    )


def test_a_part_of_the_file_is_never_left_out_in_silence(
    ctx: FakeContext, denoiser: Denoiser, text_encoder: TextEncoder
) -> None:
    with pytest.raises(ModelError, match=r"also changes the text_encoder of a model.*strength_text to 0"):
        run_node(LoadLora(denoiser=denoiser, file="style"), ctx)
    with pytest.raises(ModelError, match="text_encoder_2"):
        run_node(LoadLora(denoiser=denoiser, text_encoder=text_encoder, file="xl"), ctx)
    assert run_node(LoadLora(denoiser=denoiser, file="style", strength_text=0), ctx)["denoiser"].patches


def test_an_unknown_name_is_the_catalogues_error(ctx: FakeContext, denoiser: Denoiser) -> None:
    with pytest.raises(ModelNotFound):
        run_node(LoadLora(denoiser=denoiser, file="nowhere"), ctx)


def test_a_file_must_be_named(denoiser: Denoiser) -> None:
    with pytest.raises(ValidationError):
        LoadLora(denoiser=denoiser, file="")


@pytest.fixture
def real(tmp_path: Path, modules: dict[str, Any]) -> FakeContext:
    """A context whose models are a real store over files of the tiny networks."""
    for part, module in modules.items():
        module.save_pretrained(tmp_path / "models" / "checkpoints" / part)
    catalog = ModelCatalog(tmp_path / "zoo", tmp_path / "models", allow_download=False)
    context = FakeContext(tmp_path)
    context.models = ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")  # type: ignore[assignment]
    return context


@pytest.fixture
def write_lora(tmp_path: Path) -> Callable[[dict[str, Tensor]], str]:
    def write(tensors: dict[str, Tensor]) -> str:
        folder = tmp_path / "models" / "loras"
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "style.safetensors")
        return "style"

    return write


def lora(name: str, width: int = 8) -> dict[str, Tensor]:
    return {f"{name}.lora_A.weight": torch.ones(2, width), f"{name}.lora_B.weight": torch.ones(8, 2)}


def test_the_network_behind_the_recipe_is_changed_and_restored(
    real: FakeContext, write_lora: Callable[[dict[str, Tensor]], str]
) -> None:
    base = real.models.inspect("unet").parts["unet"]
    patched = run_node(LoadLora(denoiser=base, file=write_lora(lora(f"unet.{ATTENTION}")), strength_model=0.5), real)
    with real.models.use(base) as module:
        before = module.get_parameter(f"{ATTENTION}.weight").clone()
    with real.models.use(patched["denoiser"]) as module:
        torch.testing.assert_close(module.get_parameter(f"{ATTENTION}.weight"), before + 1.0)
    assert torch.equal(module.get_parameter(f"{ATTENTION}.weight"), before)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (lora(f"unet.{ATTENTION}", width=9), r'another family or size than "unet" \(sd15\)'),
        (lora("transformer.single_transformer_blocks.0.attn.to_q"), "changes the transformer of a model"),
        (lora(f"unet.{ATTENTION}") | lora("unet.nowhere"), r"unet\.nowhere\.lora_A\.weight"),
    ],
)
def test_a_lora_of_another_family_is_refused_before_anything_runs(
    real: FakeContext, write_lora: Callable[[dict[str, Tensor]], str], tensors: dict[str, Tensor], message: str
) -> None:
    base = real.models.inspect("unet").parts["unet"]
    with pytest.raises(ModelMismatch, match=message):
        run_node(LoadLora(denoiser=base, file=write_lora(tensors)), real)


def test_a_file_that_was_exchanged_is_another_recipe(
    real: FakeContext, write_lora: Callable[[dict[str, Tensor]], str]
) -> None:
    base = real.models.inspect("unet").parts["unet"]
    first = run_node(LoadLora(denoiser=base, file=write_lora(lora(f"unet.{ATTENTION}"))), real)["denoiser"]
    stronger = {name: 2 * tensor for name, tensor in lora(f"unet.{ATTENTION}").items()}
    second = run_node(LoadLora(denoiser=base, file=write_lora(stronger)), real)["denoiser"]
    assert first.patches != second.patches
    with pytest.raises(ModelError, match="has changed since it was looked at"), real.models.use(first):
        pass
