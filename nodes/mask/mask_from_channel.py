"""A mask of one channel."""

import graphflow.diffusion as diffusion
from graphflow import Image, Mask, Node, NodeContext, node
from graphflow.diffusion import Channel


@node("mask_from_channel", lane="io")
class MaskFromChannel(Node):
    """Take a channel of a picture as a mask, such as a black and white picture that was painted as one."""

    image: Image
    """The picture."""
    channel: Channel = "brightness"
    """brightness for pictures of masks; alpha is white where the picture is opaque."""

    def run(self, ctx: NodeContext) -> Mask:
        """One mask for each picture."""
        return Mask(diffusion.channel_mask(self.image.pixels, self.channel))
