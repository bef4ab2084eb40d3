from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from graphflow.packs.builtin.image.grid import ImageGrid
from graphflow.packs.builtin.image.load_image import LoadImage
from graphflow.packs.builtin.image.save_image import SaveImage
from PIL import Image as Pil

from graphflow import Image, InputFileError
from graphflow.diffusion import encode_png
from graphflow.testing import FakeContext, run_node


def colour(red: float, green: float, blue: float, *, width: int = 16, height: int = 16, batch: int = 1) -> Image:
    return Image(
        torch.tensor([red, green, blue], dtype=torch.float32)
        .view(1, 3, 1, 1)
        .expand(batch, 3, height, width)
        .contiguous()
    )


def test_a_saved_picture_opens_with_the_same_pixels(ctx: FakeContext) -> None:
    picture = Image(torch.randint(0, 256, (1, 3, 5, 7), generator=torch.Generator().manual_seed(0)) / 255)
    saved = run_node(SaveImage(image=picture, prefix="noise"), ctx)["image"]
    assert (saved.width, saved.height, saved.media_type) == (7, 5, "image/png")
    assert saved.name.startswith("noise_")
    assert saved.name.endswith(".png")
    opened = run_node(LoadImage(file=saved.name), ctx)
    torch.testing.assert_close(opened["image"].pixels, picture.pixels)
    assert not opened["mask"].values.any()


def test_every_picture_of_a_batch_is_saved(ctx: FakeContext) -> None:
    batch = Image(torch.cat([colour(1, 0, 0).pixels, colour(0, 1, 0).pixels]))
    outputs = run_node(SaveImage(image=batch), ctx)
    assert outputs["image"] is outputs["images"][0]
    assert len({file.name for file in outputs["images"]}) == 2


@pytest.mark.parametrize(("format", "suffix"), [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp")])
def test_each_format_opens_again(ctx: FakeContext, format: str, suffix: str) -> None:
    saved = run_node(SaveImage(image=colour(1, 0, 0), format=format), ctx)["image"]
    assert saved.media_type == f"image/{format}"
    assert saved.name.endswith(suffix)
    opened = run_node(LoadImage(file=saved.name), ctx)["image"].pixels
    torch.testing.assert_close(opened, colour(1, 0, 0).pixels, atol=0.02, rtol=0)


def test_settings_reach_the_file(ctx: FakeContext) -> None:
    picture = Image(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))

    def size(**settings: object) -> int:
        return int(run_node(SaveImage(image=picture, **settings), ctx)["image"].size)

    assert size(format="jpeg", quality=30) < size(format="jpeg")
    assert size(format="webp", quality=30) < size(format="webp")
    smooth = Image(torch.linspace(0, 1, 64).expand(1, 3, 64, 64))
    best, none = (run_node(SaveImage(image=smooth, compression=level), ctx)["image"].size for level in (9, 0))
    assert best < none
    lossless = run_node(SaveImage(image=picture, format="webp", lossless=True), ctx)["image"]
    opened = run_node(LoadImage(file=lossless.name), ctx)["image"].pixels
    torch.testing.assert_close(opened, picture.pixels, atol=0.5 / 255 + 1e-6, rtol=0)


def test_transparency_becomes_the_mask(ctx: FakeContext) -> None:
    values = np.full((4, 4, 4), 255, dtype=np.uint8)
    values[:, 2:, 3] = 0
    Pil.fromarray(values).save(ctx.artifacts.folder / "cut.png")
    opened = run_node(LoadImage(file="cut.png"), ctx)
    assert opened["image"].pixels.shape == (1, 3, 4, 4)
    assert opened["mask"].values[0, 0].tolist() == [0, 0, 1, 1]


def test_a_photograph_on_its_side_is_turned_upright(ctx: FakeContext) -> None:
    exif = Pil.Exif()
    exif[0x0112] = 6
    Pil.new("RGB", (8, 4)).save(ctx.artifacts.folder / "photo.jpg", exif=exif)
    assert run_node(LoadImage(file="photo.jpg"), ctx)["image"].pixels.shape == (1, 3, 8, 4)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("notes.txt", b"hello", "is no picture"),
        ("empty.png", b"", "is no picture"),
        ("half.png", None, "cannot be read"),
    ],
)
def test_a_bad_file_is_told_in_a_sentence(ctx: FakeContext, name: str, data: bytes | None, message: str) -> None:
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    content = encode_png(noise, notes={}, compression=6)[:2000] if data is None else data
    (ctx.artifacts.folder / name).write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        run_node(LoadImage(file=name), ctx)


def test_a_missing_file_is_the_contexts_error(tmp_path: Path) -> None:
    with pytest.raises(InputFileError):
        run_node(LoadImage(file="nowhere.png"), FakeContext(tmp_path))


def test_pictures_lie_row_by_row() -> None:
    pictures = [colour(1, 0, 0), colour(0, 1, 0), colour(0, 0, 1)]
    sheet = run_node(ImageGrid(images=pictures, columns=2, gap=4))["image"].pixels[0]
    assert sheet.shape == (3, 44, 44)
    assert sheet[:, 12, 12].tolist() == [1, 0, 0]
    assert sheet[:, 12, 32].tolist() == [0, 1, 0]
    assert sheet[:, 32, 12].tolist() == [0, 0, 1]
    assert sheet[:, 32, 32].tolist() == [1, 1, 1]


def test_a_batch_counts_as_several_pictures() -> None:
    sheet = run_node(ImageGrid(images=[colour(1, 0, 0, batch=4)], gap=0))["image"]
    assert (sheet.width, sheet.height) == (32, 32)


def test_small_pictures_lie_in_the_middle_of_their_cell() -> None:
    sheet = run_node(ImageGrid(images=[colour(0, 0, 0, width=8), colour(0, 0, 0)], columns=2, gap=0))["image"].pixels[0]
    assert sheet[0, 8].tolist() == [1.0] * 4 + [0.0] * 8 + [1.0] * 4 + [0.0] * 16


def test_labels_take_room_and_leave_ink() -> None:
    pictures = [colour(1, 1, 1, width=64, height=64)] * 4
    bare = run_node(ImageGrid(images=pictures))["image"]
    texts = {"labels": ["one", "two", "three", "a rather long text of many words"]}
    labelled = run_node(ImageGrid(images=pictures, **texts))["image"]
    headed = run_node(ImageGrid(images=pictures, column_labels=["5", "10"], row_labels=["low", "high"]))["image"]
    assert labelled.height > bare.height
    assert labelled.width == bare.width
    assert headed.height > bare.height
    assert headed.width > bare.width
    assert bare.pixels.min() == 1
    assert labelled.pixels.min() == headed.pixels.min() == 0


def test_letters_show_on_black() -> None:
    sheet = run_node(ImageGrid(images=[colour(0, 0, 0, width=64)], labels=["seen"], background="black"))["image"]
    assert sheet.pixels.max() == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ["one"]}, "labels has 1 texts for 3 pictures"),
        ({"columns": 2, "column_labels": ["a", "b", "c"]}, "column_labels has 3 texts for 2 columns"),
        ({"columns": 2, "row_labels": ["a"]}, "row_labels has 1 texts for 2 rows"),
    ],
)
def test_labels_must_go_with_the_pictures(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_node(ImageGrid(images=[colour(1, 0, 0)] * 3, **settings))


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture"):
        run_node(ImageGrid(images=[]))
