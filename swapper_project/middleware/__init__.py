"""Django middleware of the web role."""
