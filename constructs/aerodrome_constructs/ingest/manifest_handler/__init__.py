"""The Lambda function that makes array jobs of a manifest. It has nothing but boto3, which Lambda's runtime brings."""
