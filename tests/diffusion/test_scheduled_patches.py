"""LoRAs that follow the noise schedule, on the bundled model with the store that runs use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from graphflow import Conditioning, ConditioningEntry, Denoiser, Latent, LoraPatch
from graphflow.diffusion import (
    CfgGuider,
    UNetDenoiser,
    draw_noise,
    make_schedule,
    sample,
    sample_latent,
    start_latents,
)
from graphflow.diffusion.guidance import schedule_share
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.store import ModelStore
from graphflow.ports import CfgGuidance, Noise, NoiseSchedule
from graphflow.zoo import MODELS

STEPS = 6
WIDTH = 96


@dataclass(frozen=True)
class Place:
    """The bundled model and its LoRA."""

    store: ModelStore
    denoiser: Denoiser
    lora: LoraPatch

    def weights(self) -> dict[str, Tensor]:
        with self.store.use(self.denoiser) as unet:
            return {name: tensor.clone() for name, tensor in unet.state_dict().items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    catalog = ModelCatalog(MODELS, home / "models", allow_download=False, hub_cache=home / "hub")
    store = ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")
    denoiser = store.inspect("tiny-sd").parts["unet"]
    assert isinstance(denoiser, Denoiser)
    adapter = store.inspect_adapter("tiny-lora-heart", [denoiser])
    yield Place(store, denoiser, LoraPatch(adapter.file, adapter.fingerprint))
    store.unload_all()


def prompt() -> Conditioning:
    tokens = torch.randn(1, 40, WIDTH, generator=torch.Generator().manual_seed(1))
    return Conditioning((ConditioningEntry(tokens),))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampled(place: Place, *patches: LoraPatch, on_step: Any = None) -> Tensor:
    denoiser = place.denoiser
    for patch in patches:
        denoiser = denoiser.patched(patch)
    return sample_latent(
        place.store,
        CfgGuidance(denoiser, prompt(), scale=1.0),
        Latent(torch.zeros(1, 4, 8, 8)),
        sampler="euler",
        schedule=NoiseSchedule("normal", steps=STEPS),
        noise=Noise((3,)),
        generator=generator,
        on_step=on_step,
    ).latent.samples


def switched_by_hand(place: Place, *patches: LoraPatch) -> Tensor:
    """The same sampling, with the model opened anew for each call."""

    def model(latents: Tensor, timestep: Tensor) -> Tensor:
        share = schedule_share(timestep, place.denoiser.noise)
        now = tuple(at for patch in patches if (at := patch.at(share)) is not None)
        with place.store.use(replace(place.denoiser, patches=now)) as unet:
            return CfgGuider(UNetDenoiser(unet), prompt(), None, 1.0, place.denoiser.noise)(latents, timestep)

    schedule = make_schedule(place.denoiser.noise, "euler", steps=STEPS)
    noise = draw_noise((1, 4, 8, 8), generator(3))
    return sample(model, start_latents(torch.zeros_like(noise), noise, schedule), schedule)


@pytest.mark.parametrize(
    "change",
    [{"start": 0.5}, {"end": 0.5}, {"start": 0.2, "end": 0.7}, {"strength": 0.0, "end_strength": 1.5}],
    ids=str,
)
def test_a_lora_on_a_part_of_the_schedule_equals_switching_by_hand(place: Place, change: dict[str, float]) -> None:
    lora = replace(place.lora, **change)
    assert torch.equal(sampled(place, lora), switched_by_hand(place, lora))


def test_it_differs_from_the_whole_schedule_and_from_none(place: Place) -> None:
    results = [sampled(place, lora) for lora in (place.lora, replace(place.lora, start=0.5))] + [sampled(place)]
    assert all(not torch.allclose(a, b, atol=0.01) for a, b in zip(results, results[1:] + results[:1], strict=True))


def test_one_that_comes_and_one_that_goes_beside_one_that_stays(place: Place) -> None:
    loras = (
        replace(place.lora, end=0.4),
        replace(place.lora, start=0.4, strength=-0.5),
        replace(place.lora, strength=0.3),
    )
    assert torch.equal(sampled(place, *loras), switched_by_hand(place, *loras))


def test_one_that_fills_the_schedule_is_a_plain_one(place: Place) -> None:
    assert torch.equal(sampled(place, replace(place.lora, start=0.0, end=1.0)), sampled(place, place.lora))


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_the_weights_are_as_before_to_the_bit(place: Place, error: type[BaseException] | None) -> None:
    before = place.weights()
    lora = replace(place.lora, start=0.2, end=0.9, end_strength=0.1)

    def fail(step: int, total: int, latents: Tensor, clean: Tensor) -> None:
        if error is not None and step == 3:
            raise error

    if error is None:
        sampled(place, lora)
    else:
        with pytest.raises(error):
            sampled(place, lora, on_step=fail)
    after = place.weights()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
