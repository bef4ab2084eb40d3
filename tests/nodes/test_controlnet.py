from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from graphflow.packs.builtin.conditioning.apply_controlnet import ApplyControlNet
from graphflow.packs.builtin.image.canny import Canny
from graphflow.packs.builtin.loaders.load_checkpoint import LoadCheckpoint
from graphflow.packs.builtin.loaders.load_controlnet import LoadControlNet
from graphflow.packs.builtin.sampling.ksampler import KSampler
from pydantic import ValidationError

from graphflow import Checkpoint, Conditioning, ControlNet, Denoiser, Image, Latent, Mask, ModelError
from graphflow.cache import decode, encode
from graphflow.diffusion import canny_edges
from graphflow.errors import ModelMismatch
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.store import ModelStore
from graphflow.testing import FakeContext, FakeModels, run_node

EDGES = ControlNet("edges", "0", "sd15", "controlnet")


@pytest.fixture
def controlnet(modules: dict[str, Any]) -> Any:
    torch.manual_seed(1)
    network = ControlNetModel.from_unet(modules["unet"], conditioning_embedding_out_channels=(4, 8)).eval()
    for name, parameter in network.named_parameters():
        if name.startswith("controlnet_"):
            torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture
def steering_ctx(tmp_path: Path, modules: dict[str, Any], controlnet: Any) -> FakeContext:
    return FakeContext(tmp_path, models=FakeModels({**modules, "edges/controlnet": controlnet}))


@pytest.fixture
def image() -> Image:
    return Image(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(5)))


def sampled(
    ctx: FakeContext, denoiser: Denoiser, positive: Conditioning, negative: Conditioning | None
) -> torch.Tensor:
    node = KSampler(
        denoiser=denoiser, positive=positive, negative=negative, latent=Latent(torch.zeros(1, 4, 8, 8), 2), steps=3
    )
    samples = run_node(node, ctx)["latent"].samples
    assert isinstance(samples, torch.Tensor)
    return samples


def test_a_controlnet_is_opened_with_a_precision(tmp_path: Path) -> None:
    models = FakeModels(checkpoints={"edges": Checkpoint("edges", "sd15", "diffusers", {"controlnet": EDGES})})
    found = run_node(LoadControlNet(file="edges", precision="fp32"), FakeContext(tmp_path, models=models))
    assert found["controlnet"] == ControlNet("edges", "0", "sd15", "controlnet", precision="fp32")
    assert models.used == []


def test_both_prompts_are_steered_alike(
    ctx: FakeContext, image: Image, positive: Conditioning, negative: Conditioning
) -> None:
    mask = Mask(torch.ones(1, 16, 16))
    node = ApplyControlNet(
        controlnet=EDGES, image=image, positive=positive, negative=negative, strength=0.7, start=0.1, end=0.8, mask=mask
    )
    outputs = run_node(node, ctx)
    (control,) = outputs["positive"].entries[0].controls
    assert (control.network, control.strength, control.start, control.end) == (EDGES, 0.7, 0.1, 0.8)
    assert (control.mask, control.rising) == (mask, False)
    assert torch.equal(control.picture, image.pixels)
    assert outputs["negative"].entries[0].controls == (control,)
    assert positive.entries[0].controls == ()
    twice = run_node(ApplyControlNet(controlnet=EDGES, image=image, positive=outputs["positive"]), ctx)
    assert [each.strength for each in twice["positive"].entries[0].controls] == [0.7, 1.0]
    assert twice["negative"] is None


@pytest.mark.parametrize(("focus", "is_negative_steered"), [("prompt", True), ("picture", False)])
def test_focus_says_what_counts_more(
    ctx: FakeContext,
    image: Image,
    positive: Conditioning,
    negative: Conditioning,
    focus: str,
    is_negative_steered: bool,
) -> None:
    node = ApplyControlNet(controlnet=EDGES, image=image, positive=positive, negative=negative, focus=focus)  # type: ignore[arg-type]
    outputs = run_node(node, ctx)
    assert outputs["positive"].entries[0].controls[0].rising
    assert bool(outputs["negative"].entries[0].controls) == is_negative_steered


def test_transparency_of_the_picture_is_left_out(ctx: FakeContext, image: Image, positive: Conditioning) -> None:
    clear = Image(torch.cat([image.pixels, torch.zeros(1, 1, 16, 16)], dim=1))
    outputs = run_node(ApplyControlNet(controlnet=EDGES, image=clear, positive=positive), ctx)
    assert torch.equal(outputs["positive"].entries[0].controls[0].picture, image.pixels)


def test_the_sampler_follows_the_controlnet(
    steering_ctx: FakeContext, image: Image, denoiser: Denoiser, positive: Conditioning, negative: Conditioning
) -> None:
    prompts = positive, negative
    plain = sampled(steering_ctx, denoiser, *prompts)
    outputs: dict[str, dict[str, Any]] = {}
    for name, options in {"one": {}, "other": {"strength": 0.3}, "none": {"strength": 0.0}}.items():
        node = ApplyControlNet(controlnet=EDGES, image=image, positive=positive, negative=negative, **options)  # type: ignore[arg-type]
        outputs[name] = run_node(node, steering_ctx)
    latents = {name: sampled(steering_ctx, denoiser, out["positive"], out["negative"]) for name, out in outputs.items()}
    assert torch.equal(latents["none"], plain)
    assert not torch.allclose(latents["one"], plain, atol=0.01)
    assert not torch.allclose(latents["one"], latents["other"], atol=0.01)


def test_a_controlnet_of_another_family_is_refused_by_the_sampler(
    steering_ctx: FakeContext, image: Image, denoiser: Denoiser, positive: Conditioning, negative: Conditioning
) -> None:
    strange = ControlNet("edges", "0", "sdxl", "controlnet")
    steered = run_node(ApplyControlNet(controlnet=strange, image=image, positive=positive), steering_ctx)["positive"]
    with pytest.raises(ModelMismatch, match="edges is for the family sdxl, but the denoiser tiny is of sd15"):
        sampled(steering_ctx, denoiser, steered, negative)


def test_settings_out_of_range_are_refused(ctx: FakeContext, image: Image, positive: Conditioning) -> None:
    for wrong in ({"strength": 11}, {"start": -0.1}, {"end": 1.5}, {"focus": "nothing"}):
        with pytest.raises(ValidationError):
            ApplyControlNet(controlnet=EDGES, image=image, positive=positive, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"cannot steer from 0.6 to 0.4"):
        run_node(ApplyControlNet(controlnet=EDGES, image=image, positive=positive, start=0.6, end=0.4), ctx)


@pytest.mark.parametrize("method", ["kornia", "opencv"])
def test_canny_draws_the_edges_of_every_picture(ctx: FakeContext, method: str) -> None:
    pixels = torch.zeros(2, 3, 32, 32)
    pixels[:, :, 8:24, 8:24] = 1.0
    image = run_node(Canny(image=Image(pixels), low=0.3, high=0.6, method=method), ctx)["image"]  # type: ignore[arg-type]
    assert torch.equal(image.pixels, canny_edges(pixels, low=0.3, high=0.6, method=method))  # type: ignore[arg-type]
    assert image.pixels.shape == (2, 3, 32, 32)
    with pytest.raises(ValueError, match=r"the thresholds 0.5 and 0.2 are out of order"):
        run_node(Canny(image=Image(pixels), low=0.5, high=0.2), ctx)


@pytest.fixture
def real_ctx(tmp_path: Path, modules: dict[str, Any], controlnet: Any) -> FakeContext:
    """A home with a denoiser among the checkpoints and a ControlNet among its own kind."""
    modules["unet"].save_pretrained(tmp_path / "models" / "checkpoints" / "drawing")
    controlnet.save_pretrained(tmp_path / "models" / "controlnets" / "steering")
    catalog = ModelCatalog(tmp_path / "zoo", tmp_path / "models", allow_download=False, hub_cache=tmp_path / "hub")
    context = FakeContext(tmp_path)
    context.models = ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")  # type: ignore[assignment]
    return context


def test_a_controlnet_is_found_by_name_and_steers(
    real_ctx: FakeContext, image: Image, positive: Conditioning, negative: Conditioning
) -> None:
    opened = run_node(LoadControlNet(file="steering"), real_ctx)["controlnet"]
    assert (opened.file, opened.family) == ("steering", "sd15")
    recipe = real_ctx.models.inspect("drawing").parts["unet"]
    assert isinstance(recipe, Denoiser)
    denoiser = Denoiser(recipe.file, recipe.fingerprint, recipe.family, recipe.part, latent_reduction=2)
    node = ApplyControlNet(controlnet=opened, image=image, positive=positive, negative=negative)
    outputs = run_node(node, real_ctx)
    plain = sampled(real_ctx, denoiser, positive, negative)
    steered = sampled(real_ctx, denoiser, outputs["positive"], outputs["negative"])
    assert not torch.allclose(steered, plain, atol=0.01)


def test_a_checkpoint_is_no_controlnet_and_a_controlnet_no_checkpoint(real_ctx: FakeContext, tmp_path: Path) -> None:
    checkpoints = tmp_path / "models" / "checkpoints"
    with pytest.raises(ModelError, match=r'drawing" holds unet, but no controlnet'):
        run_node(LoadControlNet(file=str(checkpoints / "drawing")), real_ctx)
    with pytest.raises(ModelError, match=r'steering" holds controlnet, but no unet.*load_controlnet'):
        run_node(LoadCheckpoint(file=str(tmp_path / "models" / "controlnets" / "steering")), real_ctx)


def test_steered_prompts_can_be_kept_in_the_cache(
    ctx: FakeContext, image: Image, positive: Conditioning, negative: Conditioning
) -> None:
    node = ApplyControlNet(
        controlnet=EDGES, image=image, positive=positive, negative=negative, mask=Mask(torch.ones(1, 4, 4))
    )
    kept = encode(run_node(node, ctx)["positive"])
    (control,) = decode(kept.structure, kept.tensors, kept.arrays).entries[0].controls
    assert (control.network, control.strength) == (EDGES, 1.0)
    assert torch.equal(control.picture, image.pixels)
