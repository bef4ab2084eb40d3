from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from graphflow.diffusion.chunks import Chunk, SpecialTokens, Token, lay_out

SPECIAL = SpecialTokens(begin=100, end=101, pad=102)
COMMA = Token((50,), is_comma=True)


def words(first: int, count: int, weight: float = 1.0) -> list[Token]:
    return [Token((id,), weight) for id in range(first, first + count)]


def inner(chunk: Chunk) -> list[int]:
    """The ids between begin and end."""
    assert chunk.ids[0] == SPECIAL.begin
    end = chunk.ids.index(SPECIAL.end)
    assert set(chunk.ids[end + 1 :]) <= {SPECIAL.pad}
    return list(chunk.ids[1:end])


def test_a_short_prompt_is_one_chunk_with_its_end_and_padding() -> None:
    (chunk,) = lay_out([words(1, 3)], SPECIAL, length=8)
    assert chunk == Chunk((100, 1, 2, 3, 101, 102, 102, 102), (1.0,) * 8)
    assert not chunk.is_weighted


def test_no_text_is_one_empty_chunk() -> None:
    assert [inner(chunk) for chunk in lay_out([[]], SPECIAL, length=8)] == [[]]
    assert [inner(chunk) for chunk in lay_out([], SPECIAL, length=8)] == [[]]


def test_a_prompt_that_just_fits_is_one_chunk_and_one_token_more_makes_two() -> None:
    assert [inner(c) for c in lay_out([words(1, 6)], SPECIAL, length=8)] == [[1, 2, 3, 4, 5, 6]]
    assert [inner(c) for c in lay_out([words(1, 7)], SPECIAL, length=8)] == [[1, 2, 3, 4, 5, 6], [7]]


def test_each_section_begins_a_chunk() -> None:
    assert [inner(c) for c in lay_out([words(1, 2), words(3, 1)], SPECIAL, length=8)] == [[1, 2], [3]]


def test_a_full_chunk_ends_at_a_comma_that_is_near() -> None:
    text = [*words(1, 60), COMMA, *words(61, 20)]
    first, second = (inner(c) for c in lay_out([text], SPECIAL, length=77))
    assert first == [*range(1, 61), 50]
    assert second == list(range(61, 81))


def test_a_comma_that_is_far_away_does_not_waste_the_chunk() -> None:
    text = [*words(1, 30), COMMA, *words(31, 60)]
    first, second = (inner(c) for c in lay_out([text], SPECIAL, length=77))
    assert len(first) == 75
    assert len(second) == 16


def test_a_learned_word_is_never_torn_apart() -> None:
    text = [*words(1, 4), Token((-1, -2, -3), 1.5), *words(5, 1)]
    first, second = lay_out([text], SPECIAL, length=8)
    assert inner(first) == [1, 2, 3, 4]
    assert inner(second) == [-1, -2, -3, 5]
    assert second.weights == (1.0, 1.5, 1.5, 1.5, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="7 vectors does not fit into a chunk of 6"):
        lay_out([[Token(tuple(range(7)))]], SPECIAL, length=8)


def test_empty_chunks_follow_where_more_are_wanted() -> None:
    assert [inner(c) for c in lay_out([words(1, 2)], SPECIAL, length=8, at_least=3)] == [[1, 2], [], []]


tokens = st.builds(
    Token,
    st.lists(st.integers(1, 49), min_size=1, max_size=4).map(tuple),
    st.sampled_from([1.0, 1.5]),
    st.booleans(),
)


@given(st.lists(st.lists(tokens, max_size=40), max_size=3), st.integers(6, 20))
def test_every_token_is_read_once_in_order_with_its_weight(sections: list[list[Token]], length: int) -> None:
    chunks = lay_out(sections, SPECIAL, length=length)
    assert all(len(chunk.ids) == len(chunk.weights) == length for chunk in chunks)
    wanted = [(id, token.weight) for section in sections for token in section for id in token.ids]
    found = [pair for chunk in chunks for pair in zip(inner(chunk), chunk.weights[1:], strict=False)]
    assert found == wanted
