"""Prompts for areas and prompts that change on the way, judged by what the pictures show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graphflow.app import App
from graphflow.engine.report import RunReport
from graphflow.graph import parse_document, set_params
from graphflow.zoo.judge import judge, see

Run = Callable[..., RunReport]
Saved = Callable[[RunReport], NDArray[np.uint8]]
Seen = Callable[[Any], NDArray[np.uint8]]


def test_each_half_shows_what_its_own_prompt_says(run: Run, saved: Saved) -> None:
    asked = "a red circle on the left and a blue square on the right, on sand"
    verdicts = [judge(saved(run("area_prompts", *settings)), asked) for settings in ((), ("seed=0",), ("seed=4",))]
    assert all(verdict.right for verdict in verdicts), verdicts


@pytest.mark.parametrize(
    ("left", "right", "background", "seed"),
    [
        ("a purple star", "an orange circle", "sky", 5),
        ("an orange triangle", "a yellow cross", "gray", 14),
        ("a blue ring", "a yellow triangle", "gray", 21),
    ],
)
def test_the_halves_take_other_prompts(
    run: Run, saved: Saved, left: str, right: str, background: str, seed: int
) -> None:
    given = (f"left={left} on the left, on {background}", f"right={right} on the right, on {background}")
    picture = saved(run("area_prompts", *given, f"background={background}", f"seed={seed}"))
    verdict = judge(picture, f"{left} on the left and {right} on the right, on {background}")
    assert verdict.right, verdict


def test_a_prompt_that_changes_on_the_way_keeps_the_first_ones_place_and_draws_the_second(
    run: Run, saved: Saved, seen: Seen
) -> None:
    report = run("prompt_schedule")
    first, between, late, second = (seen(picture) for picture in report.outputs["pictures"])
    assert judge(first, "a red circle on sand").right
    assert judge(second, "a blue star on sand").right
    changed = judge(late, "a blue star on sand")
    assert changed.right
    places = [see(picture).objects[0].centre for picture in (first, late)]
    assert np.hypot(*np.subtract(*places)) < 0.06
    assert not judge(between, "a red circle on sand").bound
    assert not judge(between, "a blue star on sand").bound
    assert saved(report).shape[1] > 4 * 128


def test_a_switch_at_the_very_start_or_end_is_a_plain_prompt(run: Run, saved: Saved, seen: Seen) -> None:
    first, second = run("prompt_schedule", "switches=[1, 0]", "steps=3").outputs["pictures"]
    for picture, prompt in ((first, "a red circle on sand"), (second, "a blue star on sand")):
        plain = saved(run("text_to_image", f"prompt={prompt}", "seed=1", "steps=3"))
        assert np.array_equal(seen(picture), plain)


def test_a_word_of_a_file_in_the_embeddings_folder_is_read_by_its_name(app: App, workflows: Path) -> None:
    """Vectors of known words under a new name give what the words themselves give."""
    recipe = app.models.inspect("tiny-sd").parts["text_encoder"]
    with app.models.use(recipe) as encoder:
        tokenizer = app.models.tokenizer(recipe)  # type: ignore[arg-type]
        ids = [tokenizer.convert_tokens_to_ids(f"{word}</w>") for word in ("red", "circle")]
        rows = encoder.embeddings.token_embedding.weight[ids].float().clone()
    folder = app.settings.home / "models" / "embeddings"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"string_to_param": {"*": rows}}, folder / "ruby.pt")

    saved = json.loads((workflows / "text_to_image.json").read_text("utf-8"))
    saved["nodes"]["word"] = {
        "type": "core.load_embedding@1",
        "values": {"file": "ruby.pt"},
        "links": {"text_encoder": "checkpoint.text_encoder"},
    }
    saved["nodes"]["positive"]["links"]["text_encoder"] = "word.text_encoder"
    saved["outputs"]["latent"] = "sample.latent"
    document = parse_document(json.dumps(saved), label="ruby.json")

    def drawn(prompt: str) -> RunReport:
        return app.run(app.prepare_document(set_params(document, [f"prompt={prompt}", "steps=3"], app.registry)))

    named, spelled = (drawn(prompt).outputs["latent"].samples for prompt in ("a ruby on sand", "a red circle on sand"))
    torch.testing.assert_close(named, spelled)
    (failure,) = drawn("an embedding:opal on sand").failures
    assert failure.node == "positive"
    assert 'names the embedding "opal", which the text encoder does not have (it has: ruby)' in failure.message


def test_a_node_saved_before_there_were_weights_reads_its_brackets_as_they_stand(app: App, workflows: Path) -> None:
    text = (workflows / "text_to_image.json").read_text("utf-8").replace("encode_text@2", "encode_text@1")
    graph = app.prepare_document(parse_document(text, label="old.json"))
    for name in ("positive", "negative"):
        assert graph.nodes[graph.index[name]].values["syntax"] is False
