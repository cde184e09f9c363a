"""How one image gets from its source to its target. Begin with copy.py.

`copy` compares both sides, `plan` walks the manifests, `moves` runs the transfers of blobs and pushes.
"""
