"""Learned words on text encoders, against diffusers' own loading of the same files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor

from graphflow.app import ZOO_FOLDER
from graphflow.diffusion import parse_prompt, read_timed_prompt
from graphflow.errors import ModelError, ModelMismatch, UnknownModelFormat, UnsafeModelFile
from graphflow.models.catalog import ModelCatalog
from graphflow.models.fingerprint import Fingerprints
from graphflow.models.store import ModelStore
from graphflow.models.textual_inversion import LearnedWords, learned_words, read_embedding
from graphflow.ports import TextEncoder, TextualInversionPatch
from tests.models.tiny_families import WIDTH as XL_WIDTH, networks_of, states_of, write_original

WIDTH = 96
"""Of tiny-sd's text encoder."""

Save = Callable[[str, Any], str]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with the bundled model and an empty folder of embeddings."""
    (tmp_path / "models" / "embeddings").mkdir(parents=True)
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    catalog = ModelCatalog(ZOO_FOLDER, tmp_path / "models", allow_download=False)
    return ModelStore(catalog, Fingerprints(), device="cpu", precision="fp32")


@pytest.fixture
def save(store: ModelStore) -> Save:
    """Writes a file into the folder of embeddings and gives back its name."""

    def save(name: str, content: Any) -> str:
        path = store.catalog.models_folder / "embeddings" / name
        save_file(content, path) if path.suffix == ".safetensors" else torch.save(content, path)
        return name

    return save


@pytest.fixture
def encoder(store: ModelStore) -> TextEncoder:
    recipe = store.inspect("tiny-sd").parts["text_encoder"]
    assert isinstance(recipe, TextEncoder)
    return recipe


def vectors(count: int = 2, width: int = WIDTH, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) * 0.02


def taught(store: ModelStore, encoder: TextEncoder, file: str, word: str) -> TextEncoder:
    found = store.inspect_adapter(file, [encoder], kind="embeddings")
    return encoder.patched(TextualInversionPatch(found.file, found.fingerprint, word, encoder.part))


LAYOUTS: dict[str, Callable[[Tensor], Any]] = {
    "emb_params.safetensors": lambda rows: {"emb_params": rows},
    "webui.pt": lambda rows: {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": torch.nn.Parameter(rows)},
        "name": "my style",
        "step": 500,
        "sd_checkpoint": None,
    },
    "diffusers.bin": lambda rows: {"<my-style>": rows},
    "diffusers.safetensors": lambda rows: {"<my-style>": rows},
    "clip_l.safetensors": lambda rows: {"clip_l": rows},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_vectors(store: ModelStore, save: Save, name: str) -> None:
    save(name, LAYOUTS[name](vectors()))
    (found,) = read_embedding(store.catalog.models_folder / "embeddings" / name).values()
    assert torch.equal(found, vectors())


def test_one_vector_may_stand_without_its_row(store: ModelStore, save: Save) -> None:
    save("one.bin", {"<one>": vectors(1)[0]})
    (found,) = read_embedding(store.catalog.models_folder / "embeddings" / "one.bin").values()
    assert torch.equal(found, vectors(1))


@pytest.mark.parametrize("count", [1, 3])
def test_a_prompt_with_the_word_is_what_diffusers_makes_of_it(
    store: ModelStore, save: Save, encoder: TextEncoder, count: int
) -> None:
    file = save("style.safetensors", {"emb_params": vectors(count)})
    pipeline = StableDiffusionPipeline.from_pretrained(ZOO_FOLDER / "tiny-sd", torch_dtype=torch.float32)
    pipeline.load_textual_inversion(str(store.catalog.models_folder / "embeddings" / file), token="<style>")
    with torch.no_grad():
        expected, _ = pipeline.encode_prompt("a red circle in <style> on sand", "cpu", 1, False)
    recipe = taught(store, encoder, file, "<style>")
    (prompt,) = parse_prompt("a red circle in <style> on sand")
    with store.use(recipe) as module:
        found = read_timed_prompt(module, store.tokenizer(recipe), prompt).hidden
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_afterwards_the_encoder_is_as_before_to_the_bit(store: ModelStore, save: Save, encoder: TextEncoder) -> None:
    recipe = taught(store, encoder, save("style.safetensors", {"emb_params": vectors()}), "style")
    with store.use(encoder) as module:
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        layer = module.embeddings.token_embedding
    with store.use(recipe) as patched:
        assert patched is module
        assert learned_words(patched) == {"style": (-1, -2)}
    with store.use(encoder) as module:
        assert module.embeddings.token_embedding is layer
        assert learned_words(module) == {}
        after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_several_words_stand_side_by_side_on_one_encoder(store: ModelStore, save: Save, encoder: TextEncoder) -> None:
    one = taught(store, encoder, save("one.safetensors", {"emb_params": vectors(2)}), "one")
    both = taught(store, one, save("two.pt", {"<two>": vectors(1, seed=1)}), "two")
    with store.use(both) as module:
        assert learned_words(module) == {"one": (-1, -2), "two": (-3,)}
        rows = module.embeddings.token_embedding(torch.tensor([[-1, 5, -3, -2]]))[0]
        known = module.embeddings.token_embedding.weight
        assert torch.equal(rows, torch.stack([vectors(2)[0], known[5], vectors(1, seed=1)[0], vectors(2)[1]]))
    twice = taught(store, one, "two.pt", "ONE")
    with pytest.raises(ModelError, match='two embeddings are to be called "ONE"'), store.use(twice):
        pass


def test_vectors_take_the_precision_of_the_encoder() -> None:
    base = torch.nn.Embedding(4, 8, dtype=torch.bfloat16)
    layer = LearnedWords(base, {"word": torch.ones(1, 8)})
    assert layer(torch.tensor([[0, -1]])).dtype == torch.bfloat16
    assert layer.weight is base.weight


def test_another_width_is_refused_with_both(store: ModelStore, save: Save, encoder: TextEncoder) -> None:
    file = save("sd2.safetensors", {"emb_params": vectors(width=1024)})
    with pytest.raises(ModelMismatch, match=r"vectors 1024 wide, but the text_encoder of this model takes 96"):
        store.inspect_adapter(file, [encoder], kind="embeddings")


def test_a_file_for_two_encoders_does_not_fit_a_model_with_one(
    store: ModelStore, save: Save, encoder: TextEncoder
) -> None:
    file = save("xl.safetensors", {"clip_l": vectors(), "clip_g": vectors(width=64)})
    with pytest.raises(ModelMismatch, match=r"also has vectors for a text_encoder_2.*Stable Diffusion XL"):
        store.inspect_adapter(file, [encoder], kind="embeddings")


def test_xls_two_encoders_take_their_own_vectors(store: ModelStore, save: Save) -> None:
    write_original(
        store.catalog.models_folder / "checkpoints" / "xl.safetensors", "sdxl", states_of(networks_of("sdxl"))
    )
    parts = store.inspect("xl").parts
    encoders = [parts["text_encoder"], parts["text_encoder_2"]]
    rows = {"clip_l": vectors(2, XL_WIDTH), "clip_g": vectors(2, XL_WIDTH, seed=1)}
    found = store.inspect_adapter(save("xl.safetensors", rows), encoders, kind="embeddings")
    assert found.parts == ("text_encoder", "text_encoder_2")
    for recipe, expected in zip(encoders, rows.values(), strict=True):
        patch = TextualInversionPatch(found.file, found.fingerprint, "word", recipe.part)
        with store.use(replace(recipe, patches=(patch,))) as module:
            layer = getattr(module, "text_model", module).embeddings.token_embedding
            assert torch.equal(layer(torch.tensor([-1, -2])), expected)
    alone = save("sd15.safetensors", {"emb_params": vectors(2, XL_WIDTH)})
    with pytest.raises(ModelMismatch, match="for one text encoder, but this model reads prompts with 2"):
        store.inspect_adapter(alone, encoders, kind="embeddings")
    half = save("half.safetensors", {"clip_l": vectors(2, XL_WIDTH)})
    with pytest.raises(ModelMismatch, match="no vectors for the text_encoder_2"):
        store.inspect_adapter(half, encoders, kind="embeddings")


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("many.safetensors", {"a": vectors(), "b": vectors()}, UnknownModelFormat, "no textual inversion: it holds a"),
        ("deep.safetensors", {"a": torch.zeros(2, 3, 4)}, UnknownModelFormat, r"a \[2, 3, 4\]"),
        ("empty.pt", {"name": "nothing"}, UnknownModelFormat, "it holds no tensor"),
        ("list.pt", [1, 2], UnknownModelFormat, "it holds a list"),
        ("nan.safetensors", {"emb_params": vectors() * float("nan")}, ModelError, "not finite"),
        ("code.pt", {"<word>": Path("x")}, UnsafeModelFile, "is refused"),
    ],
)
def test_what_is_no_embedding_is_refused(
    store: ModelStore, save: Save, encoder: TextEncoder, name: str, content: Any, error: type[Exception], message: str
) -> None:
    save(name, content)
    with pytest.raises(error, match=message):
        store.inspect_adapter(name, [encoder], kind="embeddings")


def test_a_file_that_was_cut_short_is_damaged(store: ModelStore, save: Save, encoder: TextEncoder) -> None:
    path = store.catalog.models_folder / "embeddings" / save("cut.safetensors", {"emb_params": vectors()})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="is damaged: it is cut short"):
        store.inspect_adapter("cut.safetensors", [encoder], kind="embeddings")
