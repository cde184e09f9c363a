"""One job from its claim to its end. Begin in ``executor.py``; ``copy_job.py`` is the work itself."""
