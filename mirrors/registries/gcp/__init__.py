"""Google Artifact Registry. Imported only if the configuration names it, because Google's libraries are large and slow
to import."""
