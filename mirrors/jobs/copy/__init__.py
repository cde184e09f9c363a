"""One job from its claim to its end. Start with ``executor.py``; ``copy_job.py`` does the work itself."""
