"""Speed patches beside patches that follow the noise schedule: each change of weights begins with a full step on joint weights of its own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from graphflow import Denoiser, Patch
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.diffusion.network import opened_network
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.patches import PATCHES, PatchFiles, Undo, add_to_weights
from graphflow.models.store import ModelStore
from graphflow.ports import BlockCachePatch, FusionPatch
from graphflow.zoo import MODELS

NAME = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"


@dataclass(frozen=True)
class Late(Patch):
    """Changes a weight in the second half of the schedule."""

    amount: float = 0.5

    def at(self, share: float) -> Late | None:
        """The patch, from the middle on."""
        return self if share >= 0.5 else None


@PATCHES.applier(Late)
def _apply_late(module: nn.Module, patch: Late, files: PatchFiles) -> Undo:
    return add_to_weights(module, [(NAME, torch.full_like(module.get_parameter(NAME), patch.amount))])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    torch.set_num_threads(1)
    catalog = ModelCatalog(MODELS, tmp_path_factory.mktemp("models"))
    return ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")


def predictions(store: ModelStore, denoiser: Denoiser) -> list[Tensor]:
    """At four timesteps, two in each half of the schedule, with the same latents and prompt."""
    noise = torch.Generator().manual_seed(0)
    latents, tokens = torch.randn(1, 4, 16, 16, generator=noise), torch.randn(1, 40, 96, generator=noise)
    with opened_network(store, denoiser) as network, torch.no_grad():
        return [
            network(latents, torch.tensor(timestep), BatchConditioning(tokens))
            for timestep in (900.0, 899.99, 300.0, 299.99)
        ]


def test_joint_weights_and_features_follow_a_patch_that_comes_in_on_the_way(store: ModelStore) -> None:
    plain = store.inspect("tiny-sd").parts["unet"]
    assert isinstance(plain, Denoiser)
    changing = plain.patched(Late())
    with store.use(plain) as unet:
        before = unet.get_parameter(NAME).clone()
    exact = predictions(store, changing)
    unchanged = predictions(store, plain)
    assert torch.equal(exact[0], unchanged[0])
    assert not torch.allclose(exact[2], unchanged[2], atol=1e-3)
    fast = predictions(store, changing.patched(FusionPatch()).patched(BlockCachePatch(interval=9)))
    for found, wanted in zip(fast, exact, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)
    with store.use(plain) as unet:
        assert torch.equal(unet.get_parameter(NAME), before)


def test_features_do_not_outlive_a_sampling(store: ModelStore) -> None:
    plain = store.inspect("tiny-sd").parts["unet"]
    assert isinstance(plain, Denoiser)
    cached = plain.patched(BlockCachePatch(interval=9))
    first = predictions(store, cached)
    assert all(torch.equal(one, other) for one, other in zip(first, predictions(store, cached), strict=True))
