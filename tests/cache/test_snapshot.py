"""Copies share nothing that can change."""

import threading

import numpy as np
import pytest
import torch

from graphflow.cache import CannotEncode, size_of, snapshot
from graphflow.ports import Conditioning, ConditioningEntry, Denoiser, Latent


def test_tensors_arrays_and_containers_are_private() -> None:
    value = {"a": [torch.zeros(3)], "b": np.zeros(3), "c": {"d": []}, "e": ([],)}
    copy = snapshot(value)
    value["a"][0].add_(1)
    value["a"].append(1)
    value["b"] += 1
    value["c"]["d"].append(1)
    value["e"][0].append(1)
    assert torch.equal(copy["a"][0], torch.zeros(3))
    assert len(copy["a"]) == 1
    assert copy["b"].tolist() == [0, 0, 0]
    assert copy["c"] == {"d": []}
    assert copy["e"] == ([],)


def test_port_types_are_rebuilt_around_their_tensors() -> None:
    conditioning = Conditioning((ConditioningEntry(torch.zeros(1, 2, 3), extra={"s": torch.zeros(1)}),))
    copy = snapshot(conditioning)
    conditioning.entries[0].tokens.add_(1)
    conditioning.entries[0].extra["s"].add_(1)
    conditioning.entries[0].extra["new"] = torch.zeros(1)
    assert copy.entries[0].tokens.sum() == 0
    assert copy.entries[0].extra.keys() == {"s"}
    assert copy.entries[0].extra["s"].item() == 0


def test_immutable_values_are_not_copied() -> None:
    recipe = Denoiser("f", "x", "sd15", "unet")
    for value in (1, "text", None, 2.5, b"x", (1, ("a",)), recipe):
        assert snapshot(value) is value


def test_gradients_and_views_are_left_behind() -> None:
    base = torch.randn(100, requires_grad=True)
    copy = snapshot(Latent(base[:2]))
    assert not copy.samples.requires_grad
    assert copy.samples.untyped_storage().nbytes() == 8


def test_tensors_made_for_inference_become_ordinary() -> None:
    with torch.inference_mode():
        made = torch.zeros(2)
    copy = snapshot(made)
    copy.add_(1)
    assert not copy.is_inference()
    assert made.sum() == 0


def test_sparse_tensors_are_copied_and_those_without_data_refused() -> None:
    sparse = torch.eye(3).to_sparse()
    assert torch.equal(snapshot(sparse, on_cpu=True).to_dense(), torch.eye(3))
    assert size_of(sparse) > 0
    with pytest.raises(CannotEncode, match="cannot be copied"):
        snapshot({"t": torch.zeros(2, device="meta")}, on_cpu=True)


def test_foreign_objects_are_copied_deeply_or_refused() -> None:
    value = {"set": {1, 2}}
    copy = snapshot(value)
    value["set"].add(3)
    assert copy == {"set": {1, 2}}
    with pytest.raises(CannotEncode, match="lock"):
        snapshot({"x": threading.Lock()})


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list = []
    loop.append(loop)
    with pytest.raises(CannotEncode, match="holds itself"):
        snapshot(loop)


def test_size_counts_tensor_bytes_once() -> None:
    tensor = torch.zeros(1000)
    assert 4000 <= size_of({"a": Latent(tensor), "b": [tensor]}) < 4500
    assert size_of(5) < 64


def test_size_looks_into_foreign_objects() -> None:
    assert size_of(torch.nn.Linear(100, 100)) > 40_000
