"""Many pictures on one sheet."""

from math import ceil, sqrt
from typing import Literal

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, node

from ._sheet import Labels, Sheet


@node("image_grid", lane="io")
class ImageGrid(Node):
    """Lay pictures out in a grid with labels, to compare them at a glance."""

    images: list[Image]
    """The pictures, row by row. A batch counts as several pictures."""
    columns: int | None = Field(default=None, ge=1, le=1000)
    """Pictures in a row. Left empty: as many as there are column labels, or about as many as rows."""
    labels: list[str] = []
    """A text below each picture; none, or one for each."""
    column_labels: list[str] = []
    """A heading above each column; none, or one for each."""
    row_labels: list[str] = []
    """A heading before each row; none, or one for each."""
    gap: int = Field(default=8, ge=0, le=200)
    """Pixels between pictures."""
    text_size: int = Field(default=13, ge=6, le=200)
    """Height of the letters in pixels."""
    background: Literal["white", "gray", "black"] = "white"
    """Colour between the pictures."""

    def run(self, ctx: NodeContext) -> Image:
        """Raises ValueError when there is no picture, or when the labels don't go with the pictures."""
        pictures = [diffusion.pil_from_pixels(pixels) for image in self.images for pixels in image.pixels]
        columns = self._columns(len(pictures))
        self._check(len(pictures), columns)
        sheet = Sheet(gap=self.gap, text_size=self.text_size, background=self.background)
        labels = Labels(pictures=self.labels, columns=self.column_labels, rows=self.row_labels)
        drawn = sheet.draw(pictures, columns=columns, labels=labels)
        return Image(diffusion.pixels_from_pil(drawn))

    def _columns(self, pictures: int) -> int:
        return self.columns or len(self.column_labels) or max(1, ceil(sqrt(pictures)))

    def _check(self, pictures: int, columns: int) -> None:
        if pictures == 0:
            raise ValueError("there is no picture to lay out; link at least one")
        rows = ceil(pictures / columns)
        for name, given, wanted, what in (
            ("labels", len(self.labels), pictures, "pictures"),
            ("column_labels", len(self.column_labels), columns, "columns"),
            ("row_labels", len(self.row_labels), rows, "rows"),
        ):
            if given and given != wanted:
                raise ValueError(f"{name} has {given} texts for {wanted} {what}; give one for each, or none")
