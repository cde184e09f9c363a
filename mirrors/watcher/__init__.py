"""The watcher: reads pods, workloads and nodes of its cluster, and writes what runs. Begin in ``inventory.py``."""
