r"""What signs in a prompt mean, as data: weights, chunk breaks, and words that come and go along the noise schedule.

    (text)  (text:1.2)  [text]      stronger by 1.1, by 1.2, weaker by 1.1; nested ones multiply
    [from:to:0.4]                   `from` until that share of the noise schedule, then `to`
    [text:0.4]  [text::0.4]         nothing, then `text`; `text`, then nothing
    BREAK                           what follows goes into the text encoder's next chunk
    \( \) \[ \] \: \\               the signs themselves

A bracket without its other half is text. Imports no torch.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Weighting = Literal["from_empty", "keep_mean"]
"""How weights act on what a text encoder read; `prompts.weighed` has the formulas."""

BRACKET_WEIGHT = 1.1
"""What a pair of brackets without a number multiplies by, or divides by."""
GREATEST_WEIGHT = 100.0
DEEPEST = 50
"""Pairs of brackets inside each other that are accepted."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text with one weight."""

    text: str
    weight: float = 1.0


Section = tuple[Piece, ...]
"""What stands between two BREAKs."""


@dataclass(frozen=True)
class TimedPrompt:
    """A prompt as it reads during a part of the noise schedule."""

    sections: tuple[Section, ...]
    start: float = 0.0
    """Share of the noise schedule, 0 to 1, from which it applies."""
    end: float = 1.0
    """Share at which it stops."""


def literal_prompt(text: str) -> TimedPrompt:
    """A prompt in which every sign is text."""
    return TimedPrompt(((Piece(text),) if text else (),))


def escape_prompt(text: str) -> str:
    r"""The text with `\` before each sign, so that `parse_prompt` gives back the text; BREAK in capitals stays what it is."""
    return re.sub(r"([\\()\[\]:])", r"\\\1", text)


def parse_prompt(text: str) -> tuple[TimedPrompt, ...]:
    """The prompt at all times: one entry where nothing is edited, else one for each stretch of the schedule, in order.

    Raises ValueError for a weight or a switch point that is no number or out of range, and for tags that load LoRAs.
    """
    if tag := _LOADING_TAG.search(text):
        raise ValueError(
            f'the prompt has "{tag[0]}", which loads nothing here: load LoRAs with the node load_lora, and take the tag out of the prompt'
        )
    nodes = _Parser(text).parse()
    points = sorted({0.0, 1.0, *_switch_points(nodes)})
    found: list[TimedPrompt] = []
    for start, end in itertools.pairwise(points):
        sections = _sections(nodes, share=start)
        if found and found[-1].sections == sections:
            found[-1] = replace(found[-1], end=end)
        else:
            found.append(TimedPrompt(sections, start, end))
    return tuple(found)


@dataclass(frozen=True)
class _Weighted:
    body: tuple[_Node, ...]
    weight: float


@dataclass(frozen=True)
class _Edited:
    before: tuple[_Node, ...]
    after: tuple[_Node, ...]
    at: float


_Node = str | _Weighted | _Edited

_LOADING_TAG = re.compile(r"<(?:lora|lyco|hypernet):[^>]*>")
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_SYMBOL = re.compile(r"\\(?P<escaped>[\\()\[\]:])|(?P<name>\bembedding:)|(?P<sign>[()\[\]:])|(?P<other>.)", re.DOTALL)
"""The colon of `embedding:` separates nothing."""
_CLOSES = {")": "(", "]": "["}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*")
_LIKE_A_NUMBER = re.compile(r"\s*[+-]?\.?\d\S*\s*")


class _Symbol(NamedTuple):
    text: str
    sign: str
    """Which sign it is; empty for text."""
    at: int
    """Its place in the prompt."""


class _Parser:
    """From symbols to a tree; brackets are paired first, so that those without another half are text."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._symbols = [
            _Symbol(match["escaped"] or match[0], match["sign"] or "", match.start())
            for match in _SYMBOL.finditer(source)
        ]
        self._closing = self._paired()

    def parse(self) -> tuple[_Node, ...]:
        return self._nodes(0, len(self._symbols), depth=0)

    def _paired(self) -> dict[int, int]:
        """The place of the closing bracket by that of the opening one."""
        pairs: dict[int, int] = {}
        opened: list[int] = []
        waiting = {"(": 0, "[": 0}
        for index, symbol in enumerate(self._symbols):
            if symbol.sign in waiting:
                opened.append(index)
                waiting[symbol.sign] += 1
            elif (wanted := _CLOSES.get(symbol.sign, "")) and waiting[wanted]:
                while True:
                    place = opened.pop()
                    waiting[self._symbols[place].sign] -= 1
                    if self._symbols[place].sign == wanted:
                        break
                pairs[place] = index
        return pairs

    def _nodes(self, begin: int, end: int, *, depth: int) -> tuple[_Node, ...]:
        if depth > DEEPEST:
            raise ValueError(f"the prompt has brackets nested more than {DEEPEST} deep; write a weight: (text:1.5)")
        nodes: list[_Node] = []
        text: list[str] = []
        while begin < end:
            closing = self._closing.get(begin)
            if closing is None:
                text.append(self._symbols[begin].text)
                begin += 1
                continue
            nodes += ["".join(text)] if text else []
            text = []
            nodes.append(self._group(begin, closing, depth=depth + 1))
            begin = closing + 1
        return (*nodes, "".join(text)) if text else tuple(nodes)

    def _group(self, opening: int, closing: int, *, depth: int) -> _Node:
        colons = self._colons(opening + 1, closing)
        number = self._number(colons[-1] + 1, closing) if colons else None
        is_round = self._symbols[opening].sign == "("
        if number is None:
            body = self._nodes(opening + 1, closing, depth=depth)
            return _Weighted(body, BRACKET_WEIGHT if is_round else 1 / BRACKET_WEIGHT)
        if is_round:
            if abs(number) > GREATEST_WEIGHT:
                raise ValueError(
                    f"the weight {number:g} in {self._quoted(opening, closing)} is out of range; use "
                    f"{-GREATEST_WEIGHT:g} to {GREATEST_WEIGHT:g}, most often 0.5 to 1.5"
                )
            return _Weighted(self._nodes(opening + 1, colons[-1], depth=depth), number)
        return self._edit(opening, closing, colons, number, depth=depth)

    def _edit(self, opening: int, closing: int, colons: Sequence[int], at: float, *, depth: int) -> _Edited:
        if len(colons) > 2:
            raise ValueError(
                f"{self._quoted(opening, closing)} has {len(colons)} colons; write [from:to:0.4], with \\: for a colon that is text"
            )
        if not 0 <= at <= 1:
            raise ValueError(
                f"the switch point {at:g} in {self._quoted(opening, closing)} is out of range; use a share of the noise schedule "
                "from 0 to 1, such as 0.5 for half way, or \\: for a colon that is text"
            )
        after = self._nodes(colons[-2] + 1 if len(colons) == 2 else opening + 1, colons[-1], depth=depth)
        before = self._nodes(opening + 1, colons[0], depth=depth) if len(colons) == 2 else ()
        return _Edited(before, after, at)

    def _colons(self, begin: int, end: int) -> list[int]:
        """Colons that stand in no inner pair of brackets."""
        colons = []
        while begin < end:
            if self._symbols[begin].sign == ":":
                colons.append(begin)
            begin = self._closing.get(begin, begin) + 1
        return colons

    def _number(self, begin: int, closing: int) -> float | None:
        """The number between a colon and a closing bracket; None where there is text. Raises ValueError for one that is badly written."""
        text = "".join(symbol.text for symbol in self._symbols[begin:closing])
        if _NUMBER.fullmatch(text):
            return float(text)
        if _LIKE_A_NUMBER.fullmatch(text):
            raise ValueError(
                f'"{text.strip()}" before the "{self._symbols[closing].sign}" in "{self._before(closing)}" is no number; '
                "write it as 1.2, or \\: for a colon that is text"
            )
        return None

    def _quoted(self, opening: int, closing: int) -> str:
        return f'"{self._source[self._symbols[opening].at : self._symbols[closing].at + 1]}"'

    def _before(self, closing: int) -> str:
        """The end of the prompt up to a bracket."""
        place = self._symbols[closing].at + 1
        return self._source[max(place - 40, 0) : place]


def _switch_points(nodes: Sequence[_Node]) -> Iterator[float]:
    for node in nodes:
        if isinstance(node, _Weighted):
            yield from _switch_points(node.body)
        elif isinstance(node, _Edited):
            yield node.at
            yield from _switch_points((*node.before, *node.after))


def _sections(nodes: Sequence[_Node], *, share: float) -> tuple[Section, ...]:
    """What the prompt says at a share of the schedule; blank sections are left out, but for a single one."""
    sections: list[list[Piece]] = [[]]
    for piece in _pieces(nodes, share, 1.0):
        first, *later = _BREAK.split(piece.text)
        _append(sections[-1], replace(piece, text=first))
        for text in later:
            sections.append([])
            _append(sections[-1], replace(piece, text=text))
    filled = [tuple(section) for section in sections if any(piece.text.strip() for piece in section)]
    return tuple(filled) or (tuple(sections[0]),)


def _append(section: list[Piece], piece: Piece) -> None:
    """Add a piece, as part of the one before where the weights are the same."""
    if not piece.text:
        return
    if section and section[-1].weight == piece.weight:
        section[-1] = replace(piece, text=section[-1].text + piece.text)
    else:
        section.append(piece)


def _pieces(nodes: Sequence[_Node], share: float, weight: float) -> Iterator[Piece]:
    for node in nodes:
        if isinstance(node, str):
            yield Piece(node, weight)
        elif isinstance(node, _Weighted):
            yield from _pieces(node.body, share, weight * node.weight)
        else:
            yield from _pieces(node.after if share >= node.at else node.before, share, weight)
