"""Amazon ECR. Imported only if the configuration names it, because boto3 is large and slow to import."""
