"""Long prompts in chunks of the length that a text encoder reads, as data. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COMMA_REACH = 20 / 75
"""How far back, as a share of a chunk, a full chunk may end at a comma instead of in the middle of a phrase."""


@dataclass(frozen=True)
class Token:
    """What a tokenizer made of a piece of text."""

    ids: tuple[int, ...]
    """One id; several for a learned word, which is never torn apart."""
    weight: float = 1.0
    is_comma: bool = False


@dataclass(frozen=True)
class SpecialTokens:
    """Ids that stand around a prompt."""

    begin: int
    end: int
    pad: int


@dataclass(frozen=True)
class Chunk:
    """What a text encoder reads in one go: begin, up to `length - 2` tokens, end, padding."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    """By token; 1 for begin, end and padding."""

    @property
    def is_weighted(self) -> bool:
        """Whether any weight is not 1."""
        return any(weight != 1 for weight in self.weights)


def lay_out(
    sections: Sequence[Sequence[Token]], special: SpecialTokens, *, length: int, at_least: int = 1
) -> tuple[Chunk, ...]:
    """Chunks of `length` tokens each: every section begins a new one, a full one ends at its last comma if that is near.

    Empty chunks follow until there are `at_least` so many. Raises ValueError for a learned word longer than a chunk.
    """
    chunks = [_chunk(tokens, special, length) for section in sections for tokens in _divided(section, room=length - 2)]
    missing = max(at_least, 1) - len(chunks)
    return (*chunks, *[_chunk((), special, length)] * missing)


def _divided(section: Sequence[Token], *, room: int) -> Iterator[Sequence[Token]]:
    """The section in stretches of at most `room` ids."""
    reach = round(room * COMMA_REACH)
    current: list[Token] = []
    for token in section:
        if len(token.ids) > room:
            raise ValueError(f"a learned word of {len(token.ids)} vectors does not fit into a chunk of {room} tokens")
        while _size(current) + len(token.ids) > room:
            kept = len(current) if token.is_comma else _end_of_phrase(current, reach)
            yield current[:kept]
            current = current[kept:]
        current.append(token)
    if current:
        yield current


def _end_of_phrase(tokens: Sequence[Token], reach: int) -> int:
    """How many of the tokens come up to the last comma, all of them where no comma is near the end."""
    behind = 0
    for kept in range(len(tokens), 0, -1):
        if tokens[kept - 1].is_comma:
            return kept
        behind += len(tokens[kept - 1].ids)
        if behind > reach:
            break
    return len(tokens)


def _size(tokens: Sequence[Token]) -> int:
    return sum(len(token.ids) for token in tokens)


def _chunk(tokens: Sequence[Token], special: SpecialTokens, length: int) -> Chunk:
    ids = [special.begin, *(id for token in tokens for id in token.ids), special.end]
    weights = [1.0, *(token.weight for token in tokens for _ in token.ids), 1.0]
    padding = length - len(ids)
    return Chunk((*ids, *[special.pad] * padding), (*weights, *[1.0] * padding))
