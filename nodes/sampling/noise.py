"""Noise to sample from."""

from graphflow import Field, Node, NodeContext, Noise, Seed, node


@node("random_noise")
class RandomNoise(Node):
    """The noise that a sampling begins with, and that some samplers add at each step."""

    seed: Seed = 0
    """Same seed, same picture. A batch is one draw: only its first picture is the one that the seed gives alone."""
    seeds: list[Seed] = Field(default=[])
    """A seed for each picture of a batch, in place of the one above: each is then the picture that its seed gives alone."""

    def run(self, ctx: NodeContext) -> Noise:
        """A recipe: the noise is drawn where it is used."""
        return Noise(tuple(self.seeds) or (self.seed,))


@node("no_noise")
class NoNoise(Node):
    """Add no noise: for a latent in which an earlier sampler has left some."""

    seed: Seed = 0
    """The seed of that earlier sampler: its draws go on where they stopped, and a noise mask keeps what it kept."""
    seeds: list[Seed] = Field(default=[])
    """Its seeds, where it had one for each picture."""

    def run(self, ctx: NodeContext) -> Noise:
        """A recipe: nothing is drawn yet."""
        return Noise(tuple(self.seeds) or (self.seed,), is_added=False)
