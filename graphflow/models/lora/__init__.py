"""LoRA and its relatives: reading their files, finding what they change, applying them, writing them.

names      keys of all layouts -> network, layer, slot
adapter    headers, metadata, configuration -> the changes that a file holds
targets    changes -> layers of a network, or an error that names what does not fit
delta      tensors of a change -> one difference in float32
patch      several LoRAs -> one difference per weight, added once
export     trained factors -> files for kohya's tools, diffusers and PEFT

`names` and `adapter` work without torch.
"""
