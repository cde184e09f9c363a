"""A small cluster on one machine. API server and controllers are real. A stand-in for scheduler, kubelet and Service
network starts the project's processes from the pods that the chart rendered. Start reading in ``cluster.py``."""
