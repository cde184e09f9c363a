"""The transfer of an image's blobs to its target. Start with blob_transfers.py.

`blob_checks` checks whether the target has a blob, `blob_copy` transfers one (`download`, `upload_session`),
`shared_transfers` is for blobs that several images need, `pools` has the threads for it.
"""
