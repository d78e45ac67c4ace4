"""A fraud model, trained every night: a Flyte workflow that trains on AWS Batch and does all else in pods."""
