"""Networks that diffusers and transformers lack, one file each."""
