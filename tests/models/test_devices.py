"""What device and precision settings mean, with and without torch."""

from __future__ import annotations

import pytest
import torch

from graphflow.errors import ModelError
from graphflow.models import devices


def test_auto_is_what_torch_can_use() -> None:
    assert devices.pick_device("auto").type == devices.device_kind("auto")


@pytest.mark.parametrize("setting", ["gpu", "cpu:1", "mps:0", "cuda:", "cuda:-1", "CUDA", "", "cuda:0 "])
def test_other_settings_are_refused_with_what_is_accepted(setting: str) -> None:
    with pytest.raises(ModelError, match="accepted are auto, cpu, cuda, cuda:N and mps"):
        devices.device_kind(setting)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_says_why() -> None:
    with pytest.raises(ModelError, match="GRAPHFLOW_DEVICE=cpu"):
        devices.pick_device("cuda:1")


def test_precision_on_a_cpu_is_never_fp16_and_agrees_with_torch() -> None:
    assert devices.precision_for("cpu") == ("bf16" if devices.cpu_has_bf16() else "fp32")
    assert devices.default_precision(torch.device("cpu"), "vae") in (torch.bfloat16, torch.float32)
    if hasattr(torch.cpu, "_is_avx512_bf16_supported") and torch.cpu._is_avx512_bf16_supported():
        assert devices.precision_for("cpu") == "bf16"


def test_where_weights_are_fp16_the_vae_gets_fp32() -> None:
    assert (devices.precision_for("mps"), devices.precision_for("mps", "vae")) == ("fp16", "fp32")


def test_a_set_precision_holds_for_all_parts() -> None:
    assert {devices.weight_precision("fp32", "cpu", part) for part in ("unet", "vae")} == {"fp32"}


def test_the_salt_names_all_that_changes_bits() -> None:
    salt = devices.salt("cpu", "fp32")
    assert salt["torch"] == torch.__version__
    assert (salt["device"], salt["precision"], salt["attention"]) == ("cpu", "fp32", "sdpa")
    assert devices.salt("cpu", "bf16") != salt
    with pytest.raises(ModelError, match="accepted are auto, fp32, bf16 and fp16"):
        devices.salt("cpu", "int3")


def test_memory_of_the_machine_is_known() -> None:
    memory = devices.memory_of(torch.device("cpu"))
    assert 0 < memory.free <= memory.total
