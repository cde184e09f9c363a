"""What the system costs, measured beside the bare framework on the same machine in one run."""
