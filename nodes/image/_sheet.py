"""Drawing pictures and their labels on one sheet.

                 column label   column label
row label        picture        picture
                 label          label
row label        picture        picture
                 label          label
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image as Pil, ImageColor, ImageDraw, ImageFont

_MOST_LINES = 4


@dataclass(frozen=True)
class Labels:
    """Texts around the pictures; each list is empty or complete."""

    pictures: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[str] = ()


@dataclass(frozen=True)
class Sheet:
    """How a sheet looks. Sizes in pixels."""

    gap: int
    text_size: int
    background: str
    """Name of a colour."""

    def draw(self, pictures: Sequence[Pil.Image], *, columns: int, labels: Labels) -> Pil.Image:
        """The pictures row by row, each in the middle of a cell that is as large as the largest one."""
        cell = max(picture.width for picture in pictures), max(picture.height for picture in pictures)
        rows = [pictures[at : at + columns] for at in range(0, len(pictures), columns)]
        texts = [self._wrapped(labels.pictures[at : at + columns], cell[0]) for at in range(0, len(pictures), columns)]
        heads = self._wrapped(labels.columns, cell[0])
        sides = self._wrapped(labels.rows, cell[0])

        left = self.gap + self._width(sides)
        top = self.gap + self._height(heads)
        heights = [cell[1] + self._height(below) + self.gap for below in texts]
        size = (left + columns * (cell[0] + self.gap), top + sum(heights))
        sheet = Pil.new("RGB", size, self.background)
        pen = ImageDraw.Draw(sheet)

        for column, lines in enumerate(heads):
            self._write(pen, lines, centre=left + column * (cell[0] + self.gap) + cell[0] / 2, top=self.gap)
        for at, row in enumerate(rows):
            if sides:
                middle = top + (cell[1] - len(sides[at]) * self._line) / 2
                self._write(pen, sides[at], centre=self.gap + (left - 2 * self.gap) / 2, top=middle)
            for column, picture in enumerate(row):
                x = left + column * (cell[0] + self.gap)
                place = (x + (cell[0] - picture.width) // 2, top + (cell[1] - picture.height) // 2)
                sheet.paste(picture, place, picture if picture.mode == "RGBA" else None)
                if texts[at]:
                    self._write(pen, texts[at][column], centre=x + cell[0] / 2, top=top + cell[1] + self._space)
            top += heights[at]
        return sheet

    @cached_property
    def _font(self) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
        return ImageFont.load_default(self.text_size)

    @property
    def _line(self) -> int:
        return self.text_size * 5 // 4

    @property
    def _space(self) -> int:
        """Between a picture and its text."""
        return self.text_size // 3

    @property
    def _ink(self) -> str:
        return "black" if sum(ImageColor.getrgb(self.background)[:3]) > 380 else "white"

    def _wrapped(self, texts: Sequence[str], width: int) -> list[list[str]]:
        return [self._lines(text, width) for text in texts]

    def _lines(self, text: str, width: int) -> list[str]:
        """The text in lines that fit the width; what is too much ends in an ellipsis."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._font.getlength(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        if len(lines) > _MOST_LINES:
            lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1] + "…"]
        return [self._cut(line, width) for line in lines]

    def _cut(self, line: str, width: int) -> str:
        if self._font.getlength(line) <= width:
            return line
        while len(line) > 1 and self._font.getlength(line + "…") > width:
            line = line[:-1]
        return line + "…"

    def _height(self, texts: Sequence[Sequence[str]]) -> int:
        """Of one band of texts with its space; nothing without texts."""
        return max(len(lines) for lines in texts) * self._line + 2 * self._space if texts else 0

    def _width(self, texts: Sequence[Sequence[str]]) -> int:
        """Of one column of texts with its gap; nothing without texts."""
        widest = max((self._font.getlength(line) for lines in texts for line in lines), default=0.0)
        return int(widest + 1) + self.gap if texts else 0

    def _write(self, pen: ImageDraw.ImageDraw, lines: Sequence[str], *, centre: float, top: float) -> None:
        for at, line in enumerate(lines):
            x = centre - self._font.getlength(line) / 2
            pen.text((round(x), round(top + at * self._line)), line, fill=self._ink, font=self._font)
