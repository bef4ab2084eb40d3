"""Teach tiny-sd to draw hearts, by a LoRA: `python -m graphflow.zoo.train_lora --out DIR --minutes 30`.

The base stays as it is; low-rank changes of the denoiser and of the text encoder learn together (arXiv 2106.09685, by PEFT). The
word "heart" is not in the tokenizer and is read letter by letter, so the text encoder has to learn what it means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch import Tensor, nn

from graphflow.models.lora.export import LowRank, to_kohya
from graphflow.zoo.fitting import Crew, averaged_weights, fit, run_crew, save_atomically, training_arguments
from graphflow.zoo.recipes import PREDICTION, TrainSettings
from graphflow.zoo.scenes import Scene, is_held_out, random_scene
from graphflow.zoo.tiny_sd import TinySd
from graphflow.zoo.train_denoiser import noise_error, training_caption
from graphflow.zoo.train_vae import pictures_to_tensor

__all__ = ["HeartLora", "export_lora", "heart_scene", "main"]

LORA = TrainSettings(minutes=30, batch=16, learning_rate=2e-3, ema_decay=0.998, weight_decay=0.0)
RANK, ALPHA = 6, 12.0
DENOISER_LAYERS = (
    *("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
    *("conv1", "conv2"),
)
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
HEARTS = 0.8
"""Share of scenes that show a heart; the others keep the known shapes as they are."""
ENCODE_BATCH = 32
MEMBER = "heart"
"""Name of the adapter while it is in memory."""


class HeartLora(nn.Module):
    """The base with changes that learn; nothing else does."""

    def __init__(self, base: TinySd) -> None:
        super().__init__()
        self.unet = inject_adapter_in_model(_config(DENOISER_LAYERS), base.unet, adapter_name=MEMBER)
        self.text_encoder = inject_adapter_in_model(_config(TEXT_LAYERS), base.text_encoder, adapter_name=MEMBER)

    def forward(self, noisy: Tensor, steps: Tensor, tokens: Tensor) -> Tensor:
        """Predicted noise [batch, 4, 16, 16] for noisy latents, time steps [batch] and token ids [batch, tokens]."""
        states = self.text_encoder(tokens).last_hidden_state
        predicted: Tensor = self.unet(noisy, steps, states).sample
        return predicted

    def layers(self) -> dict[str, dict[str, LowRank]]:
        """The changes by network and path of the layer."""
        return {name: _changes(network) for name, network in self.named_children()}


def _config(layers: tuple[str, ...]) -> LoraConfig:
    return LoraConfig(r=RANK, lora_alpha=int(ALPHA), target_modules=list(layers), init_lora_weights=True)


def _changes(network: nn.Module) -> dict[str, LowRank]:
    weights = network.state_dict()
    paths = [name.removesuffix(f".lora_A.{MEMBER}.weight") for name in weights if ".lora_A." in name]
    return {
        path: LowRank(weights[f"{path}.lora_A.{MEMBER}.weight"], weights[f"{path}.lora_B.{MEMBER}.weight"], ALPHA)
        for path in paths
    }


def heart_scene(rng: np.random.Generator, *, objects: int | None = None, held_out: bool = False) -> Scene:
    """A scene in which one object is a heart, from one side of the hold-out."""
    while True:
        scene = random_scene(rng, objects=objects)
        heart, *others = scene.objects
        changed = replace(scene, objects=(replace(heart, shape="heart"), *others))
        if is_held_out(changed) == held_out:
            return changed


def lora_scene(number: int) -> Scene:
    """The training scene of this number; the same on every machine."""
    rng = np.random.default_rng((2025, number))
    count = 1 if rng.random() < 0.7 else 2
    if rng.random() < HEARTS:
        return heart_scene(rng, objects=count)
    while is_held_out(scene := random_scene(rng, objects=count)):
        pass
    return scene


@dataclass(frozen=True)
class LoraScenes:
    """Scenes by number and their latents [scenes, 4, 16, 16]."""

    scenes: list[Scene]
    latents: Tensor


def _encoded(base: TinySd, numbers: range, kept: Path) -> LoraScenes:
    """Scenes of these numbers; their latents are made once and kept in a file."""
    scenes = [lora_scene(number) for number in numbers]
    if not kept.exists():
        chunks = [
            base.encode(pictures_to_tensor([scene.draw() for scene in scenes[start : start + ENCODE_BATCH]]))
            for start in range(0, len(scenes), ENCODE_BATCH)
        ]
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_atomically(torch.cat(chunks), kept)
    return LoraScenes(scenes, torch.load(kept, weights_only=True))


def train_lora(crew: Crew, settings: TrainSettings, count: int, folder: Path) -> None:
    """Fit the LoRA on `count` scenes, each worker its share."""
    base = TinySd.load()
    mine = _encoded(base, range(crew.rank, count, crew.size), folder / "latents" / f"{crew.rank}.pt")
    torch.manual_seed(0)
    network = HeartLora(base)
    rng = np.random.default_rng()
    torch.manual_seed(torch.seed() + crew.rank)
    signal = DDPMScheduler(**PREDICTION).alphas_cumprod

    def loss_at(progress: float) -> Tensor:
        chosen = rng.integers(len(mine.scenes), size=settings.batch)
        tokens = base.tokens([training_caption(mine.scenes[i], rng) for i in chosen])
        steps = torch.randint(len(signal), (settings.batch,))
        kept = signal[steps].view(-1, 1, 1, 1)
        noise = torch.randn(settings.batch, *mine.latents.shape[1:])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            predicted = network(kept.sqrt() * mine.latents[chosen] + (1.0 - kept).sqrt() * noise, steps, tokens)
        return noise_error(predicted.float(), noise, signal[steps])

    fit(network, loss_at, settings, crew, folder / "lora")


def export_lora(run: Path, target: Path) -> None:
    """Write the averaged weights of a run as one file in half precision, in the layout of kohya's tools."""
    network = HeartLora(TinySd.load())
    network.load_state_dict(averaged_weights(run / "lora"))
    tensors = {name: tensor.half() for name, tensor in to_kohya(network.layers()).items()}
    save_file(tensors, target, metadata={"ss_network_dim": str(RANK), "ss_network_alpha": str(ALPHA)})
    target.chmod(0o644)


def main(arguments: list[str] | None = None) -> None:
    """Train, then export to DIR/tiny-lora-heart.safetensors."""
    asked = training_arguments(arguments, __doc__, minutes=LORA.minutes, scenes=4000)
    if asked.stage in ("train", "all"):
        run_crew(train_lora, asked.workers, replace(LORA, minutes=asked.minutes), asked.scenes, asked.out)
    if asked.stage in ("export", "all"):
        export_lora(asked.out, asked.out / "tiny-lora-heart.safetensors")


if __name__ == "__main__":
    main()
