"""How one image gets from its source to its target. Begin with copy.py.

`copy` compares both sides, `plan` walks the manifests, `moves` runs the blobs (`blobs`, `download`) and pushes.
"""
