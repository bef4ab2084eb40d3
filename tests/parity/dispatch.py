"""Which function checks which case."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.parity import sd15, sd15_controlnet, sd15_lora, sgm_sampling, sgm_sdxl
from tests.parity.cases import Case, Comparison

Check = Callable[[Case, Comparison], None]

CHECKS: dict[str, Check] = {
    "sd15/layouts_img2img": sd15.layouts_img2img,
    "sd15/controlnet_canny_img2img": sd15_controlnet.controlnet_canny_img2img,
    "sd15/lora_formats": sd15_lora.lora_formats,
    "sgm/01_samplers": sgm_sampling.samplers,
    "sgm/02_guiders": sgm_sampling.guiders,
    "sgm/03_denoiser_scalings": sgm_sampling.denoiser_scalings,
    "sgm/04_unet_sdxl": sgm_sdxl.unet_sdxl,
    "sgm/09_conditioner": sgm_sdxl.conditioner,
}
"""Checks by SYSTEM/CASE."""


def find_check(case: Case) -> Check | None:
    """The check of a case: by its name, else by the longest known name that it extends (`sampling` for `sampling_large`)."""
    known = [name for name in CHECKS if _extends(case, name)]
    return CHECKS[max(known, key=len)] if known else None


def is_listed(case: Case, not_implemented: Iterable[str]) -> bool:
    """Whether a case waits for its system: it is listed by its name, or extends a listed one and no implemented one."""
    if case.id in not_implemented:
        return True
    return find_check(case) is None and any(_extends(case, name) for name in not_implemented)


def _extends(case: Case, name: str) -> bool:
    return case.id == name or case.id.startswith((f"{name}_", f"{name}-", f"{name}."))


def listing_mistakes(cases: Iterable[Case], not_implemented: Iterable[str], *, is_default_set: bool) -> list[str]:
    """What is wrong with the list of cases that are not implemented yet; only the default set holds every case there is."""
    listed = list(not_implemented)
    by_id = {case.id: case for case in cases}
    mistakes = [f"{name} is listed twice" for name in sorted(set(listed)) if listed.count(name) > 1]
    mistakes += [
        f"{name} is listed as not implemented, but there is a check for it" for name in listed if name in CHECKS
    ]
    mistakes += [
        f"{name} can be dispatched neither by name nor as not implemented"
        for name, case in by_id.items()
        if not is_listed(case, listed) and find_check(case) is None
    ]
    if is_default_set:
        mistakes += [
            f"{name} is listed as not implemented, but there is no such case" for name in listed if name not in by_id
        ]
        mistakes += [f"{name} has a check, but there is no such case" for name in CHECKS if name not in by_id]
    return mistakes
