"""Make the pictures of the documentation from the workflows: `python docs/make_pictures.py`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from graphflow.app import build_app
from graphflow.paths import bundled
from graphflow.settings import Settings

FOLDER = Path(__file__).with_name("images")
INPUT = "red_circle_on_sand.png"
"""The picture that image_to_image.json begins with; text_to_image.json makes it."""


WORKFLOWS = (
    *("text_to_image", "image_to_image", "prompt_grid", "xy_compare", "subgraph"),
    *("controlnet_canny", "inpaint", "outpaint", "lora", "area_prompts"),
)


def make_pictures() -> list[Path]:
    """Run every example with its own values and copy what it saved; gives the copies."""
    workflows = bundled("workflows")
    FOLDER.mkdir(exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as home:
        app = build_app(Settings(home=Path(home)))
        for name in WORKFLOWS:
            report = app.run(app.prepare(workflows / f"{name}.json"))
            if report.status != "succeeded":
                raise SystemExit(f"{name}.json: {report.message or report.failures}")
            picture = Path(report.artifacts[0].path)
            made.append(Path(shutil.copyfile(picture, FOLDER / f"{name}.png")))
            if name == "text_to_image":
                made.append(Path(shutil.copyfile(picture, workflows / "inputs" / INPUT)))
        app.close()
    return made


if __name__ == "__main__":
    for path in make_pictures():
        sys.stdout.write(f"{path}\n")
