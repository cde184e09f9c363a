"""What a process knows of itself: environment, logs, metrics, certificates, kill switch, its parent and children."""
