"""Import name of the built-in pack: `nodes/sampling/ksampler.py` is `graphflow.packs.builtin.sampling.ksampler` in every kind of install."""

from graphflow.paths import bundled

__path__ = [str(bundled("nodes"))]
