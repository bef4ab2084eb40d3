"""The second stage of tiny-sd: the denoiser and its text encoder, trained together on latents made beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from diffusers import AutoencoderKL, DDPMScheduler
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTokenizer

from graphflow.zoo.captions import WORDS, write_caption
from graphflow.zoo.compass import Compass
from graphflow.zoo.fitting import Crew, averaged_weights, fit, save_atomically
from graphflow.zoo.recipes import PREDICTION, Sizes, TrainSettings, make_text_encoder, make_unet, make_vae
from graphflow.zoo.scenes import Scene, SceneWords, training_scene
from graphflow.zoo.tokenizer import write_tokenizer
from graphflow.zoo.train_vae import pictures_to_tensor

__all__ = ["Denoiser", "encode_scenes", "load_vae", "noise_error", "numbered_scene", "train_denoiser"]

EMPTY_CAPTIONS = 0.12
"""Share of captions that are replaced by "", so that the model also learns to draw without guidance."""
NO_BACKGROUND = 0.05
"""Share of captions that do not name the background."""
SNR_LIMIT = 5.0
"""Above this signal-to-noise ratio the weight of a step falls (min-SNR weighting, arXiv 2303.09556)."""
PLACE_SHARE = 0.2
"""Share of each batch that is one object with a named place at a noisy step, where places are decided."""
PLACES_FROM = 0.6
"""Earliest of these steps, as a share of all."""
COUNT_WEIGHTS = {1: 1.0, 2: 3.0, 3: 1.5}
"""How often a scene with so many objects is drawn: which colour goes with which shape is the hardest to learn."""
COMPASS_WEIGHT = 0.5
"""Weight of the questions that teach places; see compass.py."""
SNR_POWER = 0.6
"""How much more the noisiest steps weigh, in which background, places and colours are decided: SNR to minus this power."""
STEP_POWER = 0.7
"""Below 1, noisy steps are drawn more often than uniformly."""
TINT_WEIGHT = 8.0
"""Extra weight of the error's mean over the picture, which would tint the whole background."""
ENCODE_BATCH = 32


class Denoiser(nn.Module):
    """The two networks that learn together."""

    def __init__(self, sizes: Sizes, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = make_unet(sizes)
        self.text_encoder = make_text_encoder(sizes, tokenizer)
        self.compass = Compass(self.unet)

    def use_plain_attention(self) -> None:
        """Attention as matrix products: going back through torch's fused one takes a third of the step on CPUs in bf16."""
        self.unet.set_attn_processor(AttnProcessor())
        self.text_encoder.set_attn_implementation("eager")

    def forward(self, noisy: Tensor, steps: Tensor, tokens: Tensor) -> Tensor:
        """Predicted noise [batch, 4, 16, 16] for noisy latents, time steps [batch] and token ids [batch, tokens]."""
        states = self.text_encoder(tokens).last_hidden_state
        predicted: Tensor = self.unet(noisy, steps, states).sample
        return predicted


@dataclass(frozen=True)
class EncodedScenes:
    """Scenes by number and their latents, scaled to a standard deviation of one."""

    scenes: list[Scene]
    latents: Tensor


def numbered_scene(number: int) -> Scene:
    """The training scene of this number; the same on every machine."""
    return training_scene(np.random.default_rng((2024, number)))


def load_vae(sizes: Sizes, folder: Path) -> AutoencoderKL:
    """The trained autoencoder of a run, ready to use; its scaling factor is set where the latents were measured."""
    vae = make_vae(sizes)
    vae.load_state_dict(averaged_weights(folder / "vae"))
    scaling = folder / "latents" / "scaling.pt"
    if scaling.exists():
        vae.register_to_config(scaling_factor=round(float(torch.load(scaling, weights_only=True)), 5))
    return vae.eval().requires_grad_(False)


@torch.no_grad()
def encode_scenes(crew: Crew, sizes: Sizes, count: int, folder: Path) -> None:
    """Write the unscaled latents of `count` scenes, each worker its share, and the factor that scales them to deviation one."""
    target = folder / "latents"
    target.mkdir(parents=True, exist_ok=True)
    vae = load_vae(sizes, folder)
    numbers = range(crew.rank, count, crew.size)
    chunks = []
    for start in range(0, len(numbers), ENCODE_BATCH):
        pictures = [numbered_scene(number).draw() for number in numbers[start : start + ENCODE_BATCH]]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            chunks.append(vae.encode(pictures_to_tensor(pictures)).latent_dist.mean.to(torch.float16))
    latents = torch.cat(chunks)
    scaling = 1.0 / crew.mean_(latents.float().std().reshape(1))
    save_atomically(latents, target / f"{crew.rank}.pt")
    if crew.rank == 0:
        save_atomically(scaling, target / "scaling.pt")


def train_denoiser(crew: Crew, sizes: Sizes, settings: TrainSettings, count: int, folder: Path) -> None:
    """Fit denoiser and text encoder on `count` scenes, encoding them first where that was not done."""
    if not (folder / "latents" / f"{crew.rank}.pt").exists():
        encode_scenes(crew, sizes, count, folder)
    if crew.rank == 0:
        write_tokenizer(folder / "tokenizer", WORDS, tokens=sizes.tokens)
    if crew.size > 1:
        dist.barrier()
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    torch.manual_seed(0)
    network = Denoiser(sizes, tokenizer)
    network.use_plain_attention()
    torch.manual_seed(torch.seed() + crew.rank)
    rng = np.random.default_rng()
    mine = EncodedScenes(
        scenes=[numbered_scene(number) for number in range(crew.rank, count, crew.size)],
        latents=torch.load(folder / "latents" / f"{crew.rank}.pt", weights_only=True)
        * torch.load(folder / "latents" / "scaling.pt", weights_only=True).half(),
    )
    signal = DDPMScheduler(**PREDICTION).alphas_cumprod

    placed = [i for i, scene in enumerate(mine.scenes) if len(scene.objects) == 1 and scene.objects[0].places()]
    weights = np.array([COUNT_WEIGHTS[len(scene.objects)] for scene in mine.scenes])
    shares = weights / weights.sum()

    def loss_at(progress: float) -> Tensor:
        focus = int(settings.batch * PLACE_SHARE)
        alone = [placed[i] for i in rng.integers(len(placed), size=focus)]
        mixed = rng.choice(len(mine.scenes), size=settings.batch - focus, p=shares).tolist()
        said = [placed_words(mine.scenes[i], rng) for i in alone]
        network.compass.expect([place for words in said if (place := words.objects[0].place)])
        captions = [write_caption(words, rng) for words in said]
        captions += [training_caption(mine.scenes[i], rng) for i in mixed]
        steps = torch.rand(settings.batch) ** STEP_POWER
        steps[:focus] = PLACES_FROM + (1.0 - PLACES_FROM) * torch.rand(focus)
        steps = (steps * len(signal)).long().clamp(max=len(signal) - 1)
        return _loss(network, mine.latents[alone + mixed].float(), _tokens(captions, tokenizer), steps, signal[steps])

    fit(network, loss_at, settings, crew, folder / "denoiser")


def training_caption(scene: Scene, rng: np.random.Generator) -> str:
    """A caption as training sees it: sometimes empty, sometimes silent about the background."""
    if rng.random() < EMPTY_CAPTIONS:
        return ""
    words = scene.words(rng)
    return write_caption(replace(words, background=None) if rng.random() < NO_BACKGROUND else words, rng)


def placed_words(scene: Scene, rng: np.random.Generator) -> SceneWords:
    """What a caption of a scene with one object says when it does name a place."""
    places = scene.objects[0].places()
    words = scene.words(rng)
    return replace(words, objects=(replace(words.objects[0], place=places[rng.integers(len(places))]),))


def _tokens(captions: list[str], tokenizer: CLIPTokenizer) -> Tensor:
    encoded = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
    tokens: Tensor = encoded.input_ids
    return tokens


def _loss(network: Denoiser, latents: Tensor, tokens: Tensor, steps: Tensor, signal: Tensor) -> Tensor:
    """Error of the predicted noise, and of what the compass is told."""
    noise = torch.randn_like(latents)
    kept = signal.view(-1, 1, 1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        predicted = network(kept.sqrt() * latents + (1.0 - kept).sqrt() * noise, steps, tokens)
    return noise_error(predicted.float(), noise, signal) + COMPASS_WEIGHT * network.compass.loss()


def noise_error(predicted: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Squared error of the predicted noise [batch, 4, 16, 16], weighted so that background and layout count as well as the edges.

    `signal` [batch] is the share of the latents' variance that is left at each sample's step.
    """
    error = predicted - noise
    squared = error.square().mean(dim=(1, 2, 3)) + TINT_WEIGHT * error.mean(dim=(2, 3)).square().mean(dim=1)
    snr = signal / (1.0 - signal)
    weighted: Tensor = (squared * snr.clamp(max=SNR_LIMIT) / snr * snr**-SNR_POWER).mean()
    return weighted
