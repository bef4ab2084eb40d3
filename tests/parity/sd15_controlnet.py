"""The check of sd15/controlnet_canny_img2img: a ControlNet beside image-to-image, and the edges that it looks at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from graphflow.diffusion import Network, Residuals, Steering, UNetDenoiser, canny_edges
from graphflow.diffusion.guidance import BatchConditioning
from graphflow.models.detect import detect
from graphflow.ports import Conditioning, Control, ControlNet
from tests.parity.cases import Case, Comparison
from tests.parity.sd15 import compare_image_to_image, load, prompts_of, schedule_of


def controlnet_canny_img2img(case: Case, comparison: Comparison) -> None:
    """Edges as OpenCV finds them, and runs of other strengths and windows, also with more room for the prompt."""
    _compare_edges(case, comparison)
    folders = {part: detect(case.path / "model" / part) for part in ("unet", "vae", "controlnet")}
    networks = {part: load(folder, part) for part, folder in folders.items()}
    recipe = folders["controlnet"].parts["controlnet"].recipe
    assert isinstance(recipe, ControlNet)
    for run, options in case.config["runs"].items():
        noise = schedule_of(case, run).noise
        steering = RecordingSteering({recipe: networks["controlnet"]}, noise, reduction=_reduction(networks["vae"]))
        network = Windowed(UNetDenoiser(networks["unet"], steering), _active_calls(case, run))
        pictures = _seen_pictures(networks["controlnet"], steering)
        compare_image_to_image(
            case, comparison, network, networks["vae"], prompts=_steered(case, recipe, options), run=run
        )
        pictures.remove()
        _compare_controls(case, comparison, run, network, steering)


def _compare_edges(case: Case, comparison: Comparison) -> None:
    options, picture = case.config["canny"], case.inputs["image"]
    assert (options["aperture"], options["l2gradient"]) == (3, False), f"graphflow has no such edges: {options}"
    grey = torch.from_numpy(cv2.cvtColor(picture.numpy(), cv2.COLOR_RGB2GRAY))[..., None]
    for name, pixels in (("rgb", picture), ("gray", grey)):
        edges = canny_edges(
            pixels.permute(2, 0, 1)[None] / 255, low=options["low"] / 255, high=options["high"] / 255, method="opencv"
        )
        comparison.tensor(f"canny/{name}", (edges[0, 0] * 255).to(torch.uint8))
    used = case.inputs["control_image"]
    comparison.equal("the edges that the runs use", used, case.expected["canny/rgb"][..., None].expand_as(used))


def _reduction(vae: Any) -> int:
    return int(2 ** (len(vae.config.block_out_channels) - 1))


@dataclass(frozen=True, eq=False)
class RecordingSteering(Steering):
    """ControlNets that remember what they saw and said first."""

    pictures: list[Tensor] = field(default_factory=list)
    said: list[Residuals] = field(default_factory=list)

    def residuals(self, *given: Any, **named: Any) -> Residuals | None:
        said = super().residuals(*given, **named)
        if said is not None:
            self.said.append(said)
        return said


@dataclass
class Windowed:
    """A network that the case's ControlNet steers in some calls, counted from 0; graphflow's own windows are of the schedule."""

    network: Network
    active: list[bool]
    calls: int = 0

    def __call__(self, latents: Tensor, timestep: Tensor, conditioning: BatchConditioning) -> Tensor:
        steered = conditioning if self.active[self.calls] else replace(conditioning, controls=())
        answer = self.network(latents, timestep, steered)
        self.calls += 1
        return answer


def _active_calls(case: Case, run: str) -> list[bool]:
    options, calls = case.config["runs"][run], schedule_of(case, run).calls
    start, end = options.get("control_guidance_start", 0.0), options.get("control_guidance_end", 1.0)
    return [not (call / calls < start or (call + 1) / calls > end) for call in range(calls)]


def _steered(case: Case, recipe: ControlNet, options: dict[str, Any]) -> tuple[Conditioning, Conditioning]:
    """Both prompts with the ControlNet; only the positive one where the prompt is left more room."""
    is_guessing = options.get("guess_mode", False)
    control = Control(
        recipe,
        case.inputs["control_image"].permute(2, 0, 1)[None] / 255,
        strength=float(options["controlnet_conditioning_scale"]),
        rising=is_guessing,
    )
    positive, negative = prompts_of(case)
    return _with(positive, control), negative if is_guessing else _with(negative, control)


def _with(prompt: Conditioning, control: Control) -> Conditioning:
    return Conditioning(tuple(replace(entry, controls=(control,)) for entry in prompt.entries))


def _seen_pictures(controlnet: nn.Module, steering: RecordingSteering) -> Any:
    """Keep what the ControlNet looks at, until the handle that this returns is removed."""
    return controlnet.register_forward_pre_hook(
        lambda module, given, named: steering.pictures.append(named["controlnet_cond"]), with_kwargs=True
    )


def _compare_controls(
    case: Case, comparison: Comparison, run: str, network: Windowed, steering: RecordingSteering
) -> None:
    options = case.config["runs"][run]
    for step, is_active in enumerate(network.active):
        scale = float(options["controlnet_conditioning_scale"]) if is_active else 0.0
        comparison.tensor(f"{run}/step{step}.controlnet_scale", torch.tensor(scale))
    is_halved = options.get("guess_mode", False) and options["guidance_scale"] > 1
    if steering.pictures:
        comparison.tensor_if_expected(f"{run}/control_image", steering.pictures[0])
    if not network.active[0]:  # nothing is added, which the case has as zeros
        for name in (name for name in case.expected if name.startswith(f"{run}/step0.controlnet_")):
            if name not in comparison.compared:
                comparison.tensor(name, torch.zeros_like(case.expected[name]))
        return
    said = steering.said[0]
    for name, part in [*((f"down{index:02}", part) for index, part in enumerate(said.down)), ("mid", said.middle)]:
        # Where the prompt is left more room, the case has the positive half only; the other one must be 0.
        if is_halved:
            comparison.equal(
                f"{run}: what steers the negative half in {name}", int(part.chunk(2)[0].count_nonzero()), 0
            )
        shown = part.chunk(2)[1] if is_halved else part
        comparison.tensor_if_expected(f"{run}/step0.controlnet_{name}", shown)
