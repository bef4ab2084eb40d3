from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import assume, given, strategies as st

from graphflow.diffusion.prompt_syntax import (
    DEEPEST,
    Piece,
    TimedPrompt,
    escape_prompt,
    literal_prompt,
    parse_prompt,
)

Shown = list[list[tuple[str, float]]]


def shown(prompt: TimedPrompt) -> Shown:
    """Texts and weights, section by section."""
    return [[(piece.text, round(piece.weight, 4)) for piece in section] for section in prompt.sections]


def read(text: str) -> Shown:
    (prompt,) = parse_prompt(text)
    assert (prompt.start, prompt.end) == (0.0, 1.0)
    return shown(prompt)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a red fox", [("a red fox", 1.0)]),
        ("", []),
        ("a (red) fox", [("a ", 1.0), ("red", 1.1), (" fox", 1.0)]),
        ("(red:1.3) fox", [("red", 1.3), (" fox", 1.0)]),
        ("(red: .5 )", [("red", 0.5)]),
        ("(red:-1)", [("red", -1.0)]),
        ("((red))", [("red", 1.21)]),
        ("((red:1.2) fox:2)", [("red", 2.4), (" fox", 2.0)]),
        ("[red]", [("red", 0.9091)]),
        ("([red])", [("red", 1.0)]),
        ("(red:1.0) fox", [("red fox", 1.0)]),
        ("a (b)(c)", [("a ", 1.0), ("bc", 1.1)]),
        (r"a \(red\) \[fox\] \\ \:", [(r"a (red) [fox] \ :", 1.0)]),
        (r"(3\:4)", [("3:4", 1.1)]),
        (r"a\b", [(r"a\b", 1.0)]),
        ("12:30", [("12:30", 1.0)]),
        ("(hello :)", [("hello :", 1.1)]),
        ("(style: oil)", [("style: oil", 1.1)]),
        ("(the sequel: 2nd part)", [("the sequel: 2nd part", 1.1)]),
        ("(a:b:1.5)", [("a:b", 1.5)]),
        ("(:1.5)", []),
        ("a (embedding:fine:1.2)", [("a ", 1.0), ("embedding:fine", 1.2)]),
        ("(embedding:7)", [("embedding:7", 1.1)]),
        ("[embedding:fine]", [("embedding:fine", 0.9091)]),
    ],
)
def test_signs_weigh_the_text_inside(text: str, pieces: list[tuple[str, float]]) -> None:
    assert read(text) == [pieces]


@pytest.mark.parametrize("text", ["a) b", "(a", ":-) or :-(", "[", "a ] b [ c", ")(", "<not a tag>", "{a|b}"])
def test_a_bracket_without_its_other_half_is_text(text: str) -> None:
    assert read(text) == [[(text, 1.0)]]


def test_pairs_close_around_a_bracket_that_is_text() -> None:
    assert read("(a [b) c]") == [[("a [b", 1.1), (" c]", 1.0)]]
    assert read("((a)") == [[("(", 1.0), ("a", 1.1)]]


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("a BREAK b", [[("a", 1.0)], [("b", 1.0)]]),
        ("a\nBREAK\n b", [[("a", 1.0)], [("b", 1.0)]]),
        ("(a BREAK b:1.5) c", [[("a", 1.5)], [("b", 1.5), (" c", 1.0)]]),
        ("BREAK a BREAK BREAK b BREAK", [[("a", 1.0)], [("b", 1.0)]]),
        ("BREAK", [[]]),
        ("a break, BREAKING", [[("a break, BREAKING", 1.0)]]),
    ],
)
def test_break_begins_a_new_section(text: str, sections: Shown) -> None:
    assert read(text) == sections


def test_a_word_changes_on_the_way() -> None:
    early, late = parse_prompt("a [red:blue:0.4] fox")
    assert (early.start, early.end, shown(early)) == (0.0, 0.4, [[("a red fox", 1.0)]])
    assert (late.start, late.end, shown(late)) == (0.4, 1.0, [[("a blue fox", 1.0)]])


def test_a_word_comes_or_goes_on_the_way() -> None:
    assert [shown(prompt) for prompt in parse_prompt("a[ red:.25]")] == [[[("a", 1.0)]], [[("a red", 1.0)]]]
    first, middle, last = parse_prompt("[a::0.75] [b:0.5]")
    assert [(p.start, p.end) for p in (first, middle, last)] == [(0.0, 0.5), (0.5, 0.75), (0.75, 1.0)]
    assert [shown(p) for p in (first, middle, last)] == [[[("a ", 1.0)]], [[("a b", 1.0)]], [[(" b", 1.0)]]]


def test_edits_nest_and_weigh() -> None:
    prompts = parse_prompt("([[a:b:0.3]:(c:2):0.6]:1.5)")
    assert [(p.end, shown(p)) for p in prompts] == [
        (0.3, [[("a", 1.5)]]),
        (0.6, [[("b", 1.5)]]),
        (1.0, [[("c", 3.0)]]),
    ]


@pytest.mark.parametrize(("text", "only"), [("[a:b:0]", "b"), ("[a:b:1]", "a"), ("[a:a:0.5]", "a")])
def test_an_edit_that_never_shows_makes_no_second_prompt(text: str, only: str) -> None:
    assert read(text) == [[(only, 1.0)]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a (red:1,2) fox", r'"1,2" before the "\)" in "a \(red:1,2\)" is no number; write it as 1\.2'),
        ("(red:1.2.3)", r'"1\.2\.3" before'),
        ("[red:blue:50%]", r'"50%" before the "\]"'),
        ("[red:blue:10]", r'the switch point 10 in "\[red:blue:10\]" is out of range; use a share'),
        ("[red:-0.5]", r"the switch point -0\.5"),
        ("[a:b:c:0.5]", r'"\[a:b:c:0\.5\]" has 3 colons'),
        ("(red:1000)", r'the weight 1000 in "\(red:1000\)" is out of range'),
        ("<lora:style:0.8> a fox", r'"<lora:style:0\.8>".*load_lora'),
        ("(" * (DEEPEST + 1) + ")" * (DEEPEST + 1), "nested more than 50 deep"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_prompt(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_an_escaped_text_is_that_text(text: str) -> None:
    assume("BREAK" not in text)
    assert "".join(piece for piece, _ in read(escape_prompt(text))[0]) == text


words = st.text(alphabet="ab ,(:[]\\", min_size=1, max_size=8)
weights = st.integers(-30, 300).map(lambda hundredths: hundredths / 100)


@given(st.lists(st.tuples(words, weights), max_size=6))
def test_weighted_texts_come_back_as_they_were_written(pieces: list[tuple[str, float]]) -> None:
    (prompt,) = parse_prompt("".join(f"({escape_prompt(text)}:{weight})" for text, weight in pieces))
    merged: list[Piece] = []
    for text, weight in pieces:
        if merged and merged[-1].weight == weight:
            merged[-1] = Piece(merged[-1].text + text, weight)
        else:
            merged.append(Piece(text, weight))
    assert prompt.sections == (tuple(merged),)


@given(st.text(alphabet="ab()[]:\\ 0.5BREAK", max_size=40))
def test_any_text_is_a_prompt_or_refused_in_words(text: str) -> None:
    try:
        prompts = parse_prompt(text)
    except ValueError as error:
        assert len(str(error)) > 20  # noqa: PT017 - either outcome is right
        return
    assert [prompt.start for prompt in prompts] == [0.0, *(prompt.end for prompt in prompts[:-1])]
    assert prompts[-1].end == 1.0
    assert all(prompt.sections for prompt in prompts)


def test_a_long_prompt_of_stray_brackets_is_read_quickly() -> None:
    assert read("](" * 20_000) == [[("](" * 20_000, 1.0)]]


def test_a_literal_prompt_reads_no_sign() -> None:
    assert shown(literal_prompt("a (red:1.2) BREAK [fox]")) == [[("a (red:1.2) BREAK [fox]", 1.0)]]
    assert shown(literal_prompt("")) == [[]]


def test_reading_prompts_needs_no_torch() -> None:
    code = "import sys; from graphflow.diffusion import parse_prompt; parse_prompt('(a:1.2)'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
