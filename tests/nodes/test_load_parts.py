"""Models put together from files of their parts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from graphflow.packs.builtin.loaders.load_denoiser import LoadDenoiser
from graphflow.packs.builtin.loaders.load_text_encoder import LoadTextEncoder
from graphflow.packs.builtin.loaders.load_vae import LoadVae
from safetensors.torch import save_file

from graphflow import Checkpoint, Denoiser, ModelError, ModelRecipe, TextEncoder, Vae
from graphflow.app import App, build_app
from graphflow.engine.report import RunReport
from graphflow.graph import parse_document
from graphflow.models.detect import detect
from graphflow.models.kinds import KINDS
from graphflow.models.loaders.stable_diffusion import to_original
from graphflow.settings import Settings
from graphflow.testing import FakeContext, FakeModels, run_node
from graphflow.zoo import MODELS

WHOLE = {part: {"type": "core.load_checkpoint@1", "values": {"file": "tiny"}} for part in ("unet", "text", "vae")}
ALONE = {
    "unet": {"type": "core.load_denoiser@1", "values": {"file": "lone"}},
    "text": {"type": "core.load_text_encoder@1", "values": {"file": "lone"}},
    "vae": {"type": "core.load_vae@1", "values": {"file": "lone"}},
}
UNTOLD = {
    "unet": {"attention_head_dim": 2, "norm_num_groups": 4},
    "vae": {"norm_num_groups": 4},
    "text_encoder": {"num_attention_heads": 2, "eos_token_id": 1},
}
"""What no shape tells of networks as tiny as these."""


def fake(*recipes: ModelRecipe) -> FakeContext:
    """A context with a file for each recipe, named as its part."""
    files = {each.part: Checkpoint(each.part, each.family, "diffusers", {each.part: each}) for each in recipes}
    return FakeContext(models=FakeModels(checkpoints=files))


CLIP_L = TextEncoder("text_encoder", "1", "sd15", "text_encoder")
CLIP_G = TextEncoder("text_encoder_2", "2", "sdxl", "text_encoder_2")
VAE = Vae("vae", "3", "sd15", "vae")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, modules: dict[str, Any], tokenizer: Any) -> Path:
    """The tiny networks as a whole checkpoint, and each in a file of its own."""
    home = tmp_path_factory.mktemp("parts")
    folder = home / "models" / "checkpoints" / "tiny"
    for part, module in modules.items():
        module.save_pretrained(folder / part)
    tokenizer.save_pretrained(folder / "tokenizer")
    index = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    (folder / "model_index.json").write_text(json.dumps(index | {"text_encoder": ["transformers", "CLIPTextModel"]}))
    kinds = {"unet": "denoisers", "vae": "vaes", "text_encoder": "text_encoders"}
    for part, module in modules.items():
        file = home / "models" / kinds[part] / "lone.safetensors"
        file.parent.mkdir()
        prefix = {"unet": "model.diffusion_model.", "vae": "first_stage_model."}.get(part, "")
        state = to_original({part: module.state_dict()}) if prefix else module.state_dict()
        save_file({name.removeprefix(prefix): tensor.contiguous() for name, tensor in state.items()}, file)
        (file.parent / "lone.safetensors.json").write_text(json.dumps({part: UNTOLD[part]}))
    tokenizer.save_pretrained(home / "models" / "tokenizers" / "clip-vit-large-patch14")
    modules["text_encoder"].save_pretrained(home / "models" / "text_encoders" / "published")
    tokenizer.save_pretrained(home / "models" / "text_encoders" / "published")
    return home


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    app = build_app(Settings(home=home, device="cpu", precision="fp32"))
    yield app
    app.close()


@pytest.fixture
def run(app: App) -> Callable[..., RunReport]:
    """Draws with parts from these nodes."""

    def run(loaders: dict[str, Any]) -> RunReport:
        nodes: dict[str, dict[str, Any]] = {
            **loaders,
            "empty": {"type": "core.empty_latent@1", "values": {"width": 32, "height": 32}},
            "prompt": {
                "type": "core.encode_text@2",
                "values": {"text": "a red circle"},
                "links": {"text_encoder": "text.text_encoder"},
            },
            "sample": {
                "type": "core.ksampler@2",
                "values": {"steps": 2, "guidance": 1.0},
                "links": {
                    "denoiser": "unet.denoiser",
                    "positive": "prompt.conditioning",
                    "latent": "empty.latent",
                },
            },
            "decode": {"type": "core.vae_decode@1", "links": {"latent": "sample.latent", "vae": "vae.vae"}},
        }
        text = json.dumps({"graphflow": 1, "nodes": nodes, "outputs": {"image": "decode.image"}})
        return app.run(app.prepare_document(parse_document(text, label="test")), targets=["decode"])

    return run


def test_parts_from_their_own_files_draw_what_the_checkpoint_draws(run: Callable[..., RunReport]) -> None:
    whole, alone = run(WHOLE), run(ALONE)
    assert whole.status == alone.status == "succeeded", (whole.failures, alone.failures)
    torch.testing.assert_close(alone.outputs["image"].pixels, whole.outputs["image"].pixels, rtol=0, atol=1e-5)


def test_each_loader_takes_its_part_out_of_a_whole_checkpoint(app: App, run: Callable[..., RunReport]) -> None:
    parts = {name: {**node, "values": {"file": "tiny"}} for name, node in ALONE.items()}
    assert torch.equal(run(parts).outputs["image"].pixels, run(WHOLE).outputs["image"].pixels)


def test_a_vae_of_another_family_is_one_message_at_the_decoder(run: Callable[..., RunReport]) -> None:
    other = {**ALONE, "vae": {"type": "core.load_vae@1", "values": {"file": "lone", "family": "sdxl"}}}
    report = run(other)
    assert report.status == "failed"
    assert [failure.node for failure in report.failures] == ["decode"]
    assert "the latent is one of sd15 and sd2" in report.failures[0].message
    assert '"lone" (vae) is of the family sdxl' in report.failures[0].message


def test_a_text_encoder_published_alone_brings_its_tokenizer(app: App, home: Path, tokenizer: Any) -> None:
    recipe = app.models.inspect("published", "text_encoders").parts["text_encoder"]
    assert isinstance(recipe, TextEncoder)
    assert app.models.describe(recipe).tokenizer == home / "models" / "text_encoders" / "published"
    assert app.models.tokenizer(recipe)("a red circle").input_ids == tokenizer("a red circle").input_ids


def test_what_shapes_cannot_tell_can_be_said(denoiser: Denoiser) -> None:
    recipe = run_node(LoadDenoiser(file="unet", prediction="v_prediction", precision="bf16"), fake(denoiser))[
        "denoiser"
    ]
    assert (recipe.noise.prediction, recipe.precision) == ("v_prediction", "bf16")
    assert run_node(LoadDenoiser(file="unet"), fake(denoiser))["denoiser"] == denoiser
    xl = run_node(LoadVae(file="vae", family="sdxl"), fake(VAE))["vae"]
    assert (xl.family, xl.scaling_factor) == ("sdxl", 0.13025)
    assert run_node(LoadVae(file="vae", precision="fp32"), fake(VAE))["vae"].precision == "fp32"


@pytest.mark.parametrize("order", [("text_encoder", "text_encoder_2"), ("text_encoder_2", "text_encoder")])
def test_two_files_of_text_encoders_are_read_as_one_of_xl(order: tuple[str, str]) -> None:
    node = LoadTextEncoder(file=order[0], second_file=order[1], precision="bf16")
    encoder = run_node(node, fake(CLIP_L, CLIP_G))["text_encoder"]
    assert (encoder.family, encoder.part, encoder.second.part) == ("sdxl", "text_encoder", "text_encoder_2")
    assert {encoder.precision, encoder.second.precision} == {"bf16"}


def test_the_second_encoder_alone_is_the_refiners() -> None:
    encoder = run_node(LoadTextEncoder(file="text_encoder_2"), fake(CLIP_G))["text_encoder"]
    assert (encoder, encoder.second) == (CLIP_G, None)


def test_two_files_that_are_no_pair_say_what_they_hold() -> None:
    with pytest.raises(ModelError, match='"text_encoder" holds text_encoder and "vae" holds vae'):
        run_node(LoadTextEncoder(file="text_encoder", second_file="vae"), fake(CLIP_L, VAE))


@pytest.mark.parametrize(
    ("node", "lacked"),
    [(LoadDenoiser(file="vae"), "unet"), (LoadTextEncoder(file="vae"), "text_encoder")],
)
def test_a_file_of_another_part_says_what_it_holds(node: Any, lacked: str) -> None:
    with pytest.raises(ModelError, match=f'"vae" holds vae, but no {lacked}'):
        run_node(node, fake(VAE))


def test_the_parts_in_the_documentation_are_loaded(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    nodes, settings = (
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    )
    app = build_app(Settings(home=tmp_path, device="cpu"))
    document = parse_document(json.dumps({"graphflow": 1, "nodes": nodes, "outputs": {}}), label="models.md")
    report = app.run(app.prepare_document(document), targets=list(nodes))
    assert report.status == "succeeded", report.failures
    told = detect(MODELS / "tiny-sd", settings).parts["unet"]
    assert isinstance(told.recipe, Denoiser)
    assert (told.config["attention_head_dim"], told.recipe.noise.prediction) == (8, "v_prediction")
    app.close()


def test_the_documentation_names_every_kind_of_models_and_its_node() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (?:`(\w+)` )?\|$", page, re.MULTILINE)
    assert tuple(kind for kind, _ in rows if kind in KINDS) == KINDS
    known = {schema.type for schema in build_app().registry.types()}
    assert {f"core.{node}" for _, node in rows if node.startswith("load_")} <= known
