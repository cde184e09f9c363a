"""Jobs over django-q2: wake-ups drain what is due in our own rows; claims are fenced by leases."""
