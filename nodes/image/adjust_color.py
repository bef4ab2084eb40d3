"""Colours by hand."""

from typing import Annotated

import graphflow.diffusion as diffusion
from graphflow import Field, Image, Node, NodeContext, Slider, node


@node("adjust_color", lane="io")
class AdjustColor(Node):
    """Change brightness, contrast, saturation, hue and gamma of pictures. Left as they are, the settings change nothing."""

    image: Image
    """One picture or several."""
    brightness: Annotated[float, Slider(0, 2, step=0.05)] = Field(default=1.0, ge=0, le=10)
    """Factor: 0 is black, 2 twice as bright."""
    contrast: Annotated[float, Slider(0, 2, step=0.05)] = Field(default=1.0, ge=0, le=10)
    """Distance from middle grey as a factor: 0 is all grey, 2 twice the contrast."""
    saturation: Annotated[float, Slider(0, 2, step=0.05)] = Field(default=1.0, ge=0, le=10)
    """Strength of the colours as a factor: 0 is black and white."""
    hue: Annotated[float, Slider(-180, 180, step=1)] = Field(default=0.0, ge=-360, le=360)
    """Turns all colours around the colour circle, in degrees: 120 makes red green."""
    gamma: Annotated[float, Slider(0.2, 3, step=0.05)] = Field(default=1.0, gt=0, le=10)
    """Above 1, middle tones get lighter, below 1 darker; black and white stay."""

    def run(self, ctx: NodeContext) -> Image:
        """Pictures of the same size; transparency stays as it is."""
        pixels = diffusion.adjusted(
            self.image.pixels,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            hue=self.hue,
            gamma=self.gamma,
        )
        return Image(pixels)
