"""Signatures and other manifests that refer to an image. Begin with referrers_copy.py.

`kinds` says which of them a policy includes, `listing` finds them at a registry, `fallback_index` lists them where the
registry has no referrers API, `identities` reads who signed.
"""
