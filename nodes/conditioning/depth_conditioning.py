"""What models made for depth need to see."""

import graphflow.diffusion as diffusion
from graphflow import Conditioning, Image, Latent, Node, NodeContext, NodeOutputs, node


@node("depth_conditioning")
class DepthConditioning(Node):
    """Show a picture of depth to a model that was made for it, such as Stable Diffusion 2 depth. For other models there are ControlNets."""

    depth: Image
    """How near things are: white is near, black is far. Any size and contrast; it is fitted to the latent."""
    latent: Latent
    """What is going to be sampled: the encoded picture, or an empty latent. It gives the size."""
    positive: Conditioning
    """What the picture should show."""
    negative: Conditioning | None = None
    """What it should not show."""

    class Outputs(NodeOutputs):
        """What the sampler takes."""

        positive: Conditioning
        """What the picture should show, with the depth."""
        negative: Conditioning | None
        """What it should not show, likewise; nothing where none was given."""

    def run(self, ctx: NodeContext) -> Outputs:
        """Both prompts with one channel of depth."""
        rows, columns = self.latent.samples.shape[-2:]
        depth = diffusion.channel_mask(self.depth.pixels)
        channels = diffusion.depth_channels(depth, rows=rows, columns=columns)
        negative = None if self.negative is None else diffusion.with_channels(self.negative, channels)
        return self.Outputs(positive=diffusion.with_channels(self.positive, channels), negative=negative)
