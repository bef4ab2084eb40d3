"""Model files: found in the catalogue, described from their headers, loaded, patched and kept in memory.

`catalog`, `fingerprint`, `headers`, `detect` and `keymap` import no torch, because checking and planning use them.
"""
