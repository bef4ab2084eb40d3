"""Networks handed out for a block: shared, patched, undone, within a budget."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from graphflow.authoring import ModelService
from graphflow.errors import ModelError, ModelMismatch, ModelNotFound, OutOfMemory
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.patches import PatchFiles, PatchRegistry, Undo, add_to_weights
from graphflow.models.store import ModelStore
from graphflow.ports import ModelRecipe, Patch

PATCHES = PatchRegistry()
WEIGHT = "conv_in.weight"


@dataclass(frozen=True)
class Shift(Patch):
    """Adds a number to every weight of one layer."""

    by: float
    layer: str = WEIGHT


@PATCHES.applier(Shift)
def shift(module: nn.Module, patch: Shift, files: PatchFiles) -> Undo:
    return add_to_weights(module, [(patch.layer, torch.full_like(module.get_parameter(patch.layer), patch.by))])


@pytest.fixture
def store(catalog: ModelCatalog) -> ModelStore:
    return ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32", patches=PATCHES)


@pytest.fixture
def unet(store: ModelStore) -> ModelRecipe:
    return store.inspect("tiny-sd").parts["unet"]


def copy_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(module: nn.Module, state: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


def test_the_store_is_the_service_that_nodes_see(store: ModelStore) -> None:
    service: ModelService = store
    checkpoint = service.inspect("single")
    assert (checkpoint.file, checkpoint.family, checkpoint.layout) == ("single", "sd15", "original")
    assert checkpoint.parts["vae"].file == "single"
    assert len(checkpoint.parts["vae"].fingerprint) == 64


def test_describing_a_file_loads_nothing(store: ModelStore) -> None:
    store.inspect("tiny-sd")
    assert store.resident() == []


def test_a_network_is_loaded_once_for_all_recipes_of_its_weights(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet) as first:
        pass
    with store.use(unet.patched(Shift(1.0))) as second:
        assert second is first
    assert [resident.key.split("/")[1:] for resident in store.resident()] == [["unet", "fp32"]]


def test_a_patch_holds_inside_the_block_and_is_undone_to_the_bit(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet) as module:
        before = copy_of(module)
    with store.use(unet.patched(Shift(0.1)).patched(Shift(1e-4))) as module:
        assert torch.equal(module.get_parameter(WEIGHT), before[WEIGHT] + 0.1 + 1e-4)
    with store.use(unet) as module:
        assert same(module, before)


def test_a_patch_is_undone_after_an_error_in_the_block(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet) as module:
        before = copy_of(module)
    with pytest.raises(KeyError), store.use(unet.patched(Shift(0.1))):
        raise KeyError("of the node")
    assert same(module, before)


def test_nested_blocks_on_one_network_get_each_its_own_patches(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet.patched(Shift(1.0))) as outer:
        shifted = copy_of(outer)
        with store.use(unet) as inner:
            assert inner is outer
            assert torch.equal(inner.get_parameter(WEIGHT), load_weight(store, unet))
        assert same(outer, shifted)
        with store.use(unet.patched(Shift(1.0))):
            assert same(outer, shifted)


def load_weight(store: ModelStore, recipe: ModelRecipe) -> Tensor:
    path = store.catalog.resolve(recipe.file)
    return load_file(path / "unet" / "diffusion_pytorch_model.safetensors")[WEIGHT]


def test_a_failing_patch_leaves_nothing_behind(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet) as module:
        before = copy_of(module)
    recipe = unet.patched(Shift(1.0)).patched(Shift(1.0, layer="nowhere.weight"))
    with pytest.raises(AttributeError), store.use(recipe):
        pass
    assert same(module, before)


def test_precision_is_the_recipes_then_the_settings(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet) as module:
        assert module.dtype == torch.float32
    with store.use(replace(unet, precision="bf16")) as module:
        assert module.dtype == torch.bfloat16
    assert {resident.key.rsplit("/", 1)[1]: resident.bytes for resident in store.resident()}.keys() == {"fp32", "bf16"}


def test_fp16_on_a_cpu_is_done_when_asked_for_and_warned_about(
    store: ModelStore, unet: ModelRecipe, caplog: pytest.LogCaptureFixture
) -> None:
    with store.use(replace(unet, precision="fp16")) as module:
        assert module.dtype == torch.float16
    with store.use(replace(unet, precision="fp16")):
        pass
    assert caplog.text.count("hundreds of times slower") == 1


def test_networks_loaded_under_inference_mode_can_be_trained_later(store: ModelStore, unet: ModelRecipe) -> None:
    with torch.inference_mode(), store.use(unet.patched(Shift(1.0))):
        pass
    with store.use(unet) as module:
        assert not module.get_parameter(WEIGHT).is_inference()


def test_a_file_that_changed_behind_its_name_is_refused(catalog: ModelCatalog, store: ModelStore) -> None:
    recipe = store.inspect("single").parts["unet"]
    with store.use(recipe):
        pass
    path = catalog.resolve("single")
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    weights["model.diffusion_model.out.2.bias"] += 1
    path.unlink()
    save_file(weights, path)
    with pytest.raises(ModelError, match="has changed since it was looked at"), store.use(recipe):
        pass
    fresh = store.inspect("single").parts["unet"]
    assert fresh.fingerprint != recipe.fingerprint
    with store.use(fresh) as module:
        assert torch.equal(module.get_parameter("conv_out.bias"), weights["model.diffusion_model.out.2.bias"])


def test_a_recipe_from_another_process_needs_no_inspection(catalog: ModelCatalog, unet: ModelRecipe) -> None:
    with ModelStore(catalog, Fingerprints(), device="cpu").use(unet) as module:
        assert isinstance(module, nn.Module)


def test_a_recipe_whose_file_is_gone_says_where_it_was_looked_for(store: ModelStore) -> None:
    with (
        pytest.raises(ModelNotFound, match="looked in"),
        store.use(ModelRecipe("gone.safetensors", "0" * 64, "sd15", "unet")),
    ):
        pass


def test_a_part_that_the_file_lacks_is_named(store: ModelStore, unet: ModelRecipe) -> None:
    with pytest.raises(ModelMismatch, match="holds no image_encoder"), store.use(replace(unet, part="image_encoder")):
        pass


def bytes_of(store: ModelStore, *parts: str) -> int:
    checkpoint = store.inspect("tiny-sd")
    described = store.describe(checkpoint.parts["unet"])
    return sum(described.parts[part].elements * 4 for part in parts)


def budgeted(catalog: ModelCatalog, budget: int) -> ModelStore:
    return ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32", budget=budget, patches=PATCHES)


def test_the_budget_drops_single_pass_networks_before_the_denoiser(catalog: ModelCatalog, store: ModelStore) -> None:
    small = budgeted(catalog, bytes_of(store, "unet", "vae"))
    parts = small.inspect("tiny-sd").parts
    for name in ("unet", "text_encoder", "vae"):
        with small.use(parts[name]):
            assert sum(resident.bytes for resident in small.resident()) <= bytes_of(store, "unet", "vae")
    assert sorted(resident.key.split("/")[1] for resident in small.resident()) == ["unet", "vae"]


def test_a_network_larger_than_the_budget_says_what_to_set(catalog: ModelCatalog) -> None:
    small = budgeted(catalog, 1000)
    with pytest.raises(OutOfMemory, match="GRAPHFLOW_VRAM"), small.use(small.inspect("tiny-sd").parts["unet"]):
        pass


def test_a_network_in_use_is_never_dropped(catalog: ModelCatalog, store: ModelStore) -> None:
    small = budgeted(catalog, bytes_of(store, "unet"))
    parts = small.inspect("tiny-sd").parts
    with small.use(parts["unet"]), pytest.raises(OutOfMemory, match="are in use"), small.use(parts["vae"]):
        pass
    with small.use(parts["vae"]):
        assert [resident.key.split("/")[1] for resident in small.resident()] == ["vae"]


def test_memory_that_runs_out_in_the_block_frees_the_rest_and_explains(store: ModelStore) -> None:
    parts = store.inspect("tiny-sd").parts
    with store.use(parts["vae"]):
        pass
    with pytest.raises(OutOfMemory, match="ran out while it was used") as caught, store.use(parts["unet"]):
        torch.empty(2**55)
    assert "GRAPHFLOW_PRECISION" in str(caught.value)
    assert [resident.key.split("/")[1] for resident in store.resident()] == ["unet"]


def test_unloading_keeps_what_is_in_use(store: ModelStore) -> None:
    parts = store.inspect("tiny-sd").parts
    with store.use(parts["vae"]):
        pass
    with store.use(parts["unet"]):
        store.unload_all()
        assert [(each.key.split("/")[1], each.in_use) for each in store.resident()] == [("unet", True)]
    store.unload_all()
    assert store.resident() == []


def test_threads_take_turns_and_never_see_each_others_patches(store: ModelStore, unet: ModelRecipe) -> None:
    with store.use(unet) as module:
        base = module.get_parameter(WEIGHT).clone()
    wrong: list[float] = []

    def work(by: float) -> None:
        for _ in range(10):
            with store.use(unet.patched(Shift(by))) as mine:
                if not torch.equal(mine.get_parameter(WEIGHT), base + by):
                    wrong.append(by)

    threads = [threading.Thread(target=work, args=(by,)) for by in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_relative_paths_start_at_the_workflow_and_share_networks(
    store: ModelStore, tmp_path: Path, original_file: Path
) -> None:
    folder = tmp_path / "project"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "mine.safetensors").write_bytes(original_file.read_bytes())
    view = store.relative_to(folder)
    with view.use(view.inspect("weights/mine.safetensors").parts["unet"]):
        pass
    assert len(store.resident()) == 1
