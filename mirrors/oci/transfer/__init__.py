"""The copy of one image from its source to its target. Start with copy.py.

`copy` compares both sides, `plan` walks the manifests, `transfer_run` runs the transfers of blobs and the pushes.
"""
