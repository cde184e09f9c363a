"""A small cluster on one machine. API server and controllers are real. Scheduler, kubelet and Service network are
replaced by a stand-in, which starts the project's processes from the pods that the chart rendered. Start reading in
``cluster.py``."""
