"""Diffusion as plain functions on tensors; no node and no graph in sight.

The pieces are separate, and any family can combine them:

    conditioner   prompt_syntax, prompts, text_sdxl         prompt -> Conditioning
    network       denoise.UNetDenoiser                      latents, timestep, tokens -> prediction
    guider        guidance.CfgGuider, guiders               network + prompts -> one prediction
    schedule      schedules.make_schedule                   which timesteps and noise levels to visit
    sampler       samplers.SAMPLERS, sampling.sample        walks down the schedule
    scaling       scalings.SCALINGS                         network -> denoiser by noise levels, for `solvers`
    autoencoder   vae.encode_pictures, vae.decode_latents   pictures <-> latents

Names load on first use, so that importing this package does not import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
