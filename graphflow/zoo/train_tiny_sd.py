"""Train tiny-sd from scratch: `python -m graphflow.zoo.train_tiny_sd --out DIR --minutes 110 --workers 2`.

Three stages, each of which can be run alone: the autoencoder, the denoiser with its text encoder, and the export of a diffusers
folder. Checkpoints and logs stay in DIR; a stage that was stopped goes on from its last checkpoint, and an export is possible
at any time.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from graphflow.zoo.export import export_pipeline
from graphflow.zoo.fitting import run_crew
from graphflow.zoo.recipes import Sizes, TrainSettings
from graphflow.zoo.train_denoiser import train_denoiser
from graphflow.zoo.train_vae import train_vae

__all__ = ["main"]

VAE_SHARE = 0.24
"""Share of the whole time that the autoencoder gets."""
VAE = TrainSettings(minutes=26, batch=2, learning_rate=2e-3, ema_decay=0.998)
DENOISER = TrainSettings(minutes=84, batch=16, learning_rate=1.2e-3, ema_decay=0.999)


def main(arguments: list[str] | None = None) -> None:
    """Run the stages that the command line asks for."""
    asked = _parser().parse_args(arguments)
    sizes = Sizes()
    if asked.stage in ("vae", "all"):
        minutes = asked.minutes * (VAE_SHARE if asked.stage == "all" else 1.0)
        run_crew(train_vae, asked.workers, sizes, replace(VAE, minutes=minutes), asked.out / "vae")
    if asked.stage in ("unet", "all"):
        minutes = asked.minutes * (1.0 - VAE_SHARE if asked.stage == "all" else 1.0)
        run_crew(train_denoiser, asked.workers, sizes, replace(DENOISER, minutes=minutes), asked.scenes, asked.out)
    if asked.stage in ("export", "all"):
        export_pipeline(sizes, asked.out, asked.out / "tiny-sd")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, logs and the exported model")
    parser.add_argument("--minutes", type=float, default=110.0, help="wall-clock budget (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=30_000, help="scenes to encode beforehand (default: %(default)s)")
    parser.add_argument("--stage", choices=("vae", "unet", "export", "all"), default="all")
    return parser


if __name__ == "__main__":
    main()
