"""Google Artifact Registry. Imported only where a configuration names it: Google's libraries take memory and time."""
