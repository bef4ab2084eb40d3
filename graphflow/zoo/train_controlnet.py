"""Train tiny-controlnet-canny on edges of drawn scenes: `python -m graphflow.zoo.train_controlnet --out DIR --minutes 60`.

tiny-sd stays as it is; the ControlNet starts as a copy of its first half (arXiv 2302.05543). Latents and edges of all scenes are
made once and kept in DIR, with the checkpoints; a run that was stopped goes on, and an export is possible at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from diffusers import ControlNetModel, DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from graphflow.diffusion.canny import canny_edges
from graphflow.zoo.fitting import Crew, averaged_weights, fit, run_crew, save_atomically, training_arguments
from graphflow.zoo.recipes import PREDICTION, TrainSettings
from graphflow.zoo.scenes import SIDE, Scene
from graphflow.zoo.tiny_sd import TinySd
from graphflow.zoo.train_denoiser import numbered_scene, training_caption
from graphflow.zoo.train_vae import pictures_to_tensor

__all__ = ["HIGH", "LOW", "load_controlnet", "main"]

CONTROLNET = TrainSettings(minutes=60, batch=16, learning_rate=1e-3, ema_decay=0.998)
EMBEDDING = (8, 24, 48, 96)
"""Channels of the part that reads the edges, at 128, 64, 32 and 16 pixels; wide enough to say where in a cell an edge runs."""
LOW, HIGH = 0.1, 0.2
"""Thresholds of the canny edges that most scenes are seen with."""
OTHER_THRESHOLDS = 0.3
"""Share of scenes whose edges are found with other thresholds."""
GAPS = 0.15
"""Share of edge pictures from which pieces are rubbed out."""
EDGE_WEIGHT = 4.0
"""Extra weight of the cells of the latent that an edge runs through."""
SIGMA_LIMIT, SIGMA_KNEE = 3.0, 0.3
"""The weight of a step is its noise in units of the signal, up to the limit, and falls faster below the knee: rims are decided between."""
BOOST = 1.4
"""Factor of the finished ControlNet's outputs: pictures keep edges best a little above the strength of the training."""
ENCODE_BATCH = 32


@dataclass(frozen=True)
class EdgeScenes:
    """Scenes with what was made of them: latents [scenes, 4, 16, 16], edges [scenes, 128, 128 / 8] with eight pixels a byte."""

    scenes: list[Scene]
    latents: Tensor
    edges: NDArray[np.uint8]

    def edge_pictures(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """White edges on black of the chosen scenes, some with gaps: [chosen, 3, 128, 128]."""
        pictures = np.unpackbits(self.edges[chosen], axis=2)
        for picture in pictures[rng.random(len(pictures)) < GAPS]:
            _rub_out(picture, rng)
        return torch.from_numpy(pictures).float()[:, None].expand(-1, 3, -1, -1)


def _rub_out(picture: NDArray[np.uint8], rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 4)):
        top, left = rng.integers(SIDE, size=2)
        height, width = rng.integers(SIDE // 16, SIDE // 4, size=2)
        picture[top : top + height, left : left + width] = 0


def load_controlnet(base: TinySd) -> ControlNetModel:
    """A ControlNet for the base that changes nothing yet."""
    return ControlNetModel.from_unet(base.unet, conditioning_embedding_out_channels=EMBEDDING)


@torch.no_grad()
def find_edges(crew: Crew, count: int, folder: Path) -> None:
    """Write latents and edges of `count` scenes, each worker its share."""
    folder.mkdir(parents=True, exist_ok=True)
    base = TinySd.load()
    rng = np.random.default_rng((7, crew.rank))
    latents, edges = [], []
    numbers = range(crew.rank, count, crew.size)
    for start in range(0, len(numbers), ENCODE_BATCH):
        pictures = pictures_to_tensor([numbered_scene(n).draw() for n in numbers[start : start + ENCODE_BATCH]])
        latents.append(base.encode(pictures).half())
        low, high = LOW, HIGH
        if rng.random() < OTHER_THRESHOLDS:
            low = float(rng.uniform(0.05, 0.3))
            high = low * float(rng.uniform(1.5, 3.0))
        edges.append(canny_edges(pictures / 2 + 0.5, low=low, high=high)[:, 0] > 0)
    packed = torch.from_numpy(np.packbits(torch.cat(edges).numpy(), axis=2))
    save_atomically({"latents": torch.cat(latents), "edges": packed}, folder / f"{crew.rank}.pt")


def train_controlnet(crew: Crew, settings: TrainSettings, count: int, folder: Path) -> None:
    """Fit the ControlNet on `count` scenes."""
    made = folder / "scenes" / f"{crew.rank}.pt"
    if not made.exists():
        find_edges(crew, count, folder / "scenes")
    if crew.size > 1:
        dist.barrier()
    kept = torch.load(made, weights_only=True)
    numbers = range(crew.rank, count, crew.size)
    mine = EdgeScenes([numbered_scene(n) for n in numbers], kept["latents"], kept["edges"].numpy())
    base = TinySd.load()
    torch.manual_seed(0)
    network = load_controlnet(base)
    network.set_attn_processor(base.plain_attention())
    network.to(memory_format=torch.channels_last)
    rng = np.random.default_rng()
    torch.manual_seed(torch.seed() + crew.rank)
    signal = DDPMScheduler(**PREDICTION).alphas_cumprod

    def loss_at(progress: float) -> Tensor:
        chosen = rng.integers(len(mine.scenes), size=settings.batch)
        states = base.read([training_caption(mine.scenes[i], rng) for i in chosen])
        steps = torch.randint(len(signal), (settings.batch,))
        edges = mine.edge_pictures(chosen, rng)
        return _loss(base, network, mine.latents[chosen].float(), states, edges, steps, signal[steps])

    fit(network, loss_at, settings, crew, folder / "controlnet")


def _loss(
    base: TinySd,
    network: ControlNetModel,
    latents: Tensor,
    states: Tensor,
    edges: Tensor,
    steps: Tensor,
    signal: Tensor,
) -> Tensor:
    """Squared error of the noise that the base predicts with the ControlNet's help; cells with an edge count more."""
    noise = torch.randn_like(latents)
    kept = signal.view(-1, 1, 1, 1)
    noisy = (kept.sqrt() * latents + (1.0 - kept).sqrt() * noise).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        down, middle = network(noisy, steps, states, controlnet_cond=edges, return_dict=False)
        predicted = base.unet(
            noisy, steps, states, down_block_additional_residuals=down, mid_block_additional_residual=middle
        ).sample
    cells = 1.0 + EDGE_WEIGHT * functional.max_pool2d(edges[:, :1], SIDE // latents.shape[-1])
    squared = ((predicted.float() - noise).square() * cells).sum(dim=(1, 2, 3)) / (4 * cells.sum(dim=(1, 2, 3)))
    sigma = ((1.0 - signal) / signal).sqrt()
    loss: Tensor = (squared * sigma.clamp(max=SIGMA_LIMIT) * (sigma / SIGMA_KNEE).square().clamp(max=1.0)).mean()
    return loss


def export_controlnet(run: Path, target: Path) -> None:
    """Write the averaged weights of a run, their outputs boosted, as a diffusers folder in half precision."""
    network = load_controlnet(TinySd.load())
    network.load_state_dict(averaged_weights(run / "controlnet"))
    for output in (*network.controlnet_down_blocks, network.controlnet_mid_block):
        for values in output.parameters():
            values.data *= BOOST
    network.to(dtype=torch.float16).save_pretrained(target)
    for path in target.glob("*.safetensors"):
        path.chmod(0o644)


def main(arguments: list[str] | None = None) -> None:
    """Train, then export to DIR/tiny-controlnet-canny."""
    asked = training_arguments(arguments, __doc__, minutes=CONTROLNET.minutes, scenes=30_000)
    if asked.stage in ("train", "all"):
        run_crew(train_controlnet, asked.workers, replace(CONTROLNET, minutes=asked.minutes), asked.scenes, asked.out)
    if asked.stage in ("export", "all"):
        export_controlnet(asked.out, asked.out / "tiny-controlnet-canny")


if __name__ == "__main__":
    main()
