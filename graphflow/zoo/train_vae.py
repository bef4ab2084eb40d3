"""The first stage of tiny-sd: an autoencoder of scenes, and then the latents that the denoiser learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from graphflow.zoo.fitting import Crew, fit
from graphflow.zoo.recipes import Sizes, TrainSettings, make_vae
from graphflow.zoo.scenes import SIDE, Scene, training_scene

__all__ = ["pictures_to_tensor", "train_vae"]

CROP = 64
CROPS_UNTIL = 0.6
"""Share of the time in which the autoencoder sees crops around an object: four times as many edges for the same work."""
KL_WEIGHT = 2e-4
L1_WEIGHT = 0.1


def pictures_to_tensor(pictures: list[np.ndarray]) -> Tensor:
    """RGB pictures 0..255 [H, W, 3] as one tensor [batch, 3, H, W] in -1..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def train_vae(crew: Crew, sizes: Sizes, settings: TrainSettings, folder: Path) -> None:
    """Fit the autoencoder; the checkpoint lands in `folder`."""
    torch.manual_seed(0)
    vae = make_vae(sizes)
    rng = np.random.default_rng((crew.rank, torch.seed() % 2**32))
    torch.manual_seed(int(rng.integers(2**31)))

    def loss_at(progress: float) -> Tensor:
        scenes = [training_scene(rng) for _ in range(settings.batch)]
        if progress < CROPS_UNTIL:
            crops = [_crop(scene, rng) for scene in scenes for _ in range((SIDE // CROP) ** 2)]
            return _loss(vae, pictures_to_tensor(crops))
        return _loss(vae, pictures_to_tensor([scene.draw() for scene in scenes]))

    fit(vae, loss_at, settings, crew, folder)


def _crop(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """A CROP x CROP window that holds a part of one of the objects."""
    item = scene.objects[rng.integers(len(scene.objects))]
    middle = np.array([item.top, item.left]) + rng.integers(0, item.side + 1, size=2)
    top, left = np.clip(middle - CROP // 2, 0, SIDE - CROP)
    return scene.draw()[top : top + CROP, left : left + CROP]


def _loss(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latents = vae.encode(pictures).latent_dist
        mean, logvar = latents.mean.float(), latents.logvar.float()
        decoded = vae.decode(mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)).sample.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).mean()
    blur: Tensor = functional.mse_loss(decoded, pictures) + L1_WEIGHT * functional.l1_loss(decoded, pictures)
    loss: Tensor = blur + KL_WEIGHT * kl
    return loss
