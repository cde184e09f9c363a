"""The copy engine beside skopeo, crane and regclient. Begin in ``__main__.py``."""
