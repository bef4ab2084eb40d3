from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from graphflow.packs.builtin.text.encode_text import EncodeText
from graphflow.packs.builtin.text.format_text import FormatText
from graphflow.packs.builtin.text.join_text import JoinText
from graphflow.packs.builtin.text.text import Text
from graphflow.packs.builtin.text.text_list import TextList

from graphflow import Image, TextEncoder
from graphflow.testing import FakeContext, run_node


def test_a_prompt_becomes_the_text_encoders_hidden_states(
    ctx: FakeContext, modules: dict[str, Any], tokenizer: Any, text_encoder: TextEncoder
) -> None:
    (entry,) = run_node(EncodeText(text_encoder=text_encoder, text="a red circle"), ctx)["conditioning"].entries
    ids = tokenizer("a red circle", padding="max_length", max_length=8, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = modules["text_encoder"](ids).last_hidden_state
    assert entry.tokens.shape == expected.shape == (1, 8, 16)
    torch.testing.assert_close(entry.tokens, expected)


def test_clip_skip_takes_an_earlier_layer(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    last, earlier = (
        run_node(EncodeText(text_encoder=text_encoder, text="a red circle", clip_skip=skip), ctx)["conditioning"]
        for skip in (0, 1)
    )
    assert not torch.allclose(last.entries[0].tokens, earlier.entries[0].tokens)


def test_clip_skip_beyond_the_layers_is_refused(ctx: FakeContext, text_encoder: TextEncoder) -> None:
    with pytest.raises(ValueError, match="use 0 to 1"):
        run_node(EncodeText(text_encoder=text_encoder, clip_skip=2), ctx)


def test_without_syntax_a_prompt_that_is_too_long_is_cut_with_a_warning(
    ctx: FakeContext, text_encoder: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    node = EncodeText(text_encoder=text_encoder, text="a red circle on sand a blue circle", syntax=False)
    (entry,) = run_node(node, ctx)["conditioning"].entries
    assert entry.tokens.shape == (1, 8, 16)
    assert "left out" in caplog.text
    assert "blue circle" in caplog.text


def test_a_long_prompt_is_read_in_chunks(
    ctx: FakeContext, text_encoder: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (entry,) = run_node(EncodeText(text_encoder=text_encoder, text="a red circle on sand a blue circle"), ctx)[
        "conditioning"
    ].entries
    assert entry.tokens.shape == (1, 16, 16)
    assert caplog.text == ""


def test_text_is_handed_on() -> None:
    assert run_node(Text(text="Ünïcode\nand lines")) == {"text": "Ünïcode\nand lines"}


def test_joined_texts_leave_blank_ones_out() -> None:
    assert run_node(JoinText(texts=["a fox", " ", "oil on canvas"])) == {"text": "a fox, oil on canvas"}
    assert run_node(JoinText(texts=["a", "b"], separator="")) == {"text": "ab"}


def test_a_text_list_keeps_its_order() -> None:
    assert run_node(TextList(texts=["b", "a", "b"])) == {"texts": ["b", "a", "b"]}


@pytest.mark.parametrize(
    ("value", "written"), [(7.0, "7"), (0.1 + 0.2, "0.3"), (20, "20"), ("x", "x"), (True, "yes"), (1e-7, "1e-07")]
)
def test_values_are_written_as_people_do(value: Any, written: str) -> None:
    assert run_node(FormatText(template="<{value}>", value=value)) == {"text": f"<{written}>"}


def test_braces_are_only_a_gap() -> None:
    text = run_node(FormatText(template="{value.__class__} {0} {value}", value=1))["text"]
    assert text == "{value.__class__} {0} 1"


def test_a_picture_cannot_be_written_into_a_text() -> None:
    with pytest.raises(ValueError, match="a Image cannot be written"):
        run_node(FormatText(value=Image(torch.zeros(1, 3, 2, 2))))
