"""How the blobs of an image get to its target. Begin with blob_transfers.py.

`looks` asks whether the target has a blob, `blob_copy` moves one (`download`, `upload_session`), `shared_transfers` is
for those that several images need, `pools` has the threads for it.
"""
