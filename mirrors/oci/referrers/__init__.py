"""Signatures and other manifests that refer to an image. Start with referrers_copy.py.

`kinds` defines which of them a policy includes, `listing` finds them at a registry, `fallback_index` lists them if the
registry has no referrers API, `identities` reads the signers.
"""
