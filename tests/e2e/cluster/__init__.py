"""A small cluster on one machine: a real API server and real controllers; a stand-in for scheduler, kubelet and Service
network that starts our processes from the pods that the chart rendered. Begin in ``cluster.py``."""
