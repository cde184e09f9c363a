"""Amazon ECR. Imported only where a configuration names it: boto3 takes memory and time."""
