"""Images and their copies: mappings, jobs, admissions, decisions. Start reading in ``mappings.py``."""
