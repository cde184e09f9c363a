"""Images and their copies: mappings, jobs, admissions, decisions. Begin in ``mappings.py``."""
