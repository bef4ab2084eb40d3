"""Attention by choice and joint projections: the same numbers, other ways to them, and all as before afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel, UNet2DConditionModel
from diffusers.models.attention_dispatch import AttentionBackendName
from torch import Tensor, nn

from graphflow.errors import ModelError, ModelMismatch
from graphflow.models.appliers import PATCHES
from graphflow.models.attention import ChosenAttention, require_installed, unsuited
from graphflow.models.patches import Undo, add_to_weights
from graphflow.models.store import ModelStore
from graphflow.ports import AttentionPatch, FusionPatch, Patch
from graphflow.ports.speed import AttentionBackend


class NoFiles:
    """These patches bring no files."""

    def path(self, file: str, fingerprint: str, kind: str) -> Path:
        raise ModelError(f"no file {file}")


def applied(module: nn.Module, *patches: Patch) -> Undo:
    return PATCHES.apply(module, patches, NoFiles())


@pytest.fixture(scope="module", autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=24,
        attention_head_dim=8,
    )
    return network.eval().requires_grad_(False)


def predict(unet: UNet2DConditionModel, *, mask: Tensor | None = None) -> Tensor:
    noise = torch.Generator().manual_seed(1)
    answer: Tensor = unet(
        torch.randn(2, 4, 8, 8, generator=noise),
        500,
        encoder_hidden_states=torch.randn(2, 7, 24, generator=noise),
        encoder_attention_mask=mask,
        return_dict=False,
    )[0]
    return answer


def processors(module: nn.Module) -> set[type]:
    return {type(layer.processor) for layer in module.modules() if hasattr(layer, "processor")}


@pytest.mark.parametrize(
    "patches", [(AttentionPatch("sdpa"),), (FusionPatch(),), (FusionPatch(), AttentionPatch("sdpa"))]
)
def test_the_answer_is_the_one_of_diffusers_and_nothing_is_left(
    unet: UNet2DConditionModel, patches: tuple[Patch, ...]
) -> None:
    before, exact, usual = {k: v.clone() for k, v in unet.state_dict().items()}, predict(unet), processors(unet)
    undo = applied(unet, *patches)
    assert processors(unet) == {ChosenAttention}
    torch.testing.assert_close(predict(unet), exact, rtol=1e-6, atol=1e-6)
    undo()
    assert processors(unet) == usual
    assert unet.state_dict().keys() == before.keys()
    assert all(torch.equal(after, before[name]) for name, after in unet.state_dict().items())
    assert torch.equal(predict(unet), exact)


def test_masked_tokens_are_not_looked_at(unet: UNet2DConditionModel) -> None:
    mask = torch.tensor([[1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]])
    exact = predict(unet, mask=mask)
    assert not torch.allclose(exact, predict(unet))
    undo = applied(unet, FusionPatch())
    torch.testing.assert_close(predict(unet, mask=mask), exact, rtol=1e-6, atol=1e-6)
    undo()


def test_the_attention_of_autoencoders_normalizes_and_adds_its_input() -> None:
    torch.manual_seed(0)
    vae = AutoencoderKL(block_out_channels=(32,), norm_num_groups=8).eval()
    latents = torch.randn(1, 4, 6, 5)
    exact = vae.decode(latents, return_dict=False)[0]
    undo = applied(vae, AttentionPatch("sdpa"), FusionPatch())
    torch.testing.assert_close(vae.decode(latents, return_dict=False)[0], exact, rtol=1e-5, atol=1e-6)
    undo()


def test_joint_projections_are_made_of_the_weights_that_other_patches_leave(unet: UNet2DConditionModel) -> None:
    @dataclass(frozen=True)
    class Louder(Patch):
        """Changes one projection, as a LoRA would."""

    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    PATCHES.applier(Louder)(lambda module, patch, files: add_to_weights(module, [(name, torch.ones(64, 64))]))
    before = unet.get_parameter(name).clone()
    undo = applied(unet, Louder())
    exact = predict(unet)
    undo()
    assert not torch.allclose(exact, predict(unet))
    undo = applied(unet, FusionPatch(), Louder())
    torch.testing.assert_close(predict(unet), exact, rtol=1e-6, atol=1e-6)
    undo()
    assert torch.equal(unet.get_parameter(name), before)


def test_joint_projections_take_no_second_copy(unet: UNet2DConditionModel) -> None:
    undo = applied(unet, FusionPatch())
    layer = unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn1")
    joint, _ = layer.processor.joint
    assert layer.to_q.weight.untyped_storage().data_ptr() == joint.untyped_storage().data_ptr()
    assert layer.to_v.weight.untyped_storage().data_ptr() == joint.untyped_storage().data_ptr()
    undo()


def test_a_choice_that_fails_leaves_nothing_behind(unet: UNet2DConditionModel) -> None:
    with pytest.raises(ModelError, match="flash"):
        applied(unet, AttentionPatch("sdpa"), AttentionPatch("flash"))
    assert ChosenAttention not in processors(unet)


def test_transformers_that_ask_the_dispatcher_are_told() -> None:
    torch.manual_seed(0)
    flux = FluxTransformer2DModel(
        in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    asked = [layer.processor for layer in flux.modules() if hasattr(layer, "processor")]
    undo = applied(flux, AttentionPatch("sdpa"))
    assert {each._attention_backend for each in asked} == {AttentionBackendName.NATIVE}
    undo()
    assert {each._attention_backend for each in asked} == {None}


def test_a_network_without_attention_is_refused() -> None:
    with pytest.raises(ModelMismatch, match="Linear has no attention layer"):
        applied(nn.Linear(2, 2), AttentionPatch("sdpa"))


@pytest.mark.parametrize(
    ("backend", "device", "dtype", "head", "message"),
    [
        ("flash", "cpu", torch.bfloat16, 64, r'"flash" runs on NVIDIA GPUs only, and the model is on: cpu; use sdpa'),
        ("xformers", "mps", torch.float16, 64, "NVIDIA GPUs only"),
        ("flash", "cuda", torch.float32, 64, "computes in bf16 and fp16, and the model is in float32; set its precision to bf16"),
        ("sage", "cuda", torch.bfloat16, 160, "heads of at most 128 channels, and the model has some of 160; use sdpa"),
        ("flash", "cuda", torch.bfloat16, 512, "heads of at most 256"),
    ],
)  # fmt: skip
def test_an_unsuited_backend_says_why(
    backend: AttentionBackend, device: str, dtype: torch.dtype, head: int, message: str
) -> None:
    problem = unsuited(backend, device=device, dtype=dtype, heads=[40, head])
    assert problem is not None
    assert re.search(message, problem)


@pytest.mark.parametrize(
    ("backend", "dtype", "head"),
    [("sdpa", torch.float32, 512), ("flash", torch.float16, 160), ("xformers", torch.float32, 512), ("sage", torch.bfloat16, 64)],
)  # fmt: skip
def test_a_suited_backend_is_not_refused(backend: AttentionBackend, dtype: torch.dtype, head: int) -> None:
    assert unsuited(backend, device="cuda", dtype=dtype, heads=[head]) is None


@pytest.mark.parametrize(
    ("backend", "package", "advice"),
    [("flash", "flash_attn", "graphflow[cuda]"), ("xformers", "xformers", "graphflow[cuda]"), ("sage", "sageattention", "2.1.1")],
)  # fmt: skip
def test_a_missing_library_is_named_with_what_installs_it(backend: AttentionBackend, package: str, advice: str) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(ModelError) as caught:
        require_installed(backend)
    assert f'"{backend}" is not installed here' in str(caught.value)
    assert advice in str(caught.value)


def test_the_setting_serves_denoisers_that_choose_nothing(store: ModelStore) -> None:
    denoiser = store.inspect("tiny-sd").parts["unet"]
    flashing = ModelStore(store.catalog, store.fingerprints, device="cpu", precision="fp32", attention="flash")
    with pytest.raises(ModelError, match="flash"), flashing.use(denoiser):
        pass
    with flashing.use(denoiser.patched(AttentionPatch("sdpa"))) as unet:
        assert processors(unet) == {ChosenAttention}
    with flashing.use(store.inspect("tiny-sd").parts["vae"]) as vae:
        assert ChosenAttention not in processors(vae)
    with store.use(denoiser) as unet:
        assert ChosenAttention not in processors(unet)
