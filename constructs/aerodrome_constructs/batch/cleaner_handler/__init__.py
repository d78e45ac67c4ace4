"""The function that deregisters the revisions of job definitions that flytepropeller leaves behind. It needs boto3."""
