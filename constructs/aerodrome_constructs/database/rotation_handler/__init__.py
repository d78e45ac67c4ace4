"""A Lambda function that changes the password of one PostgreSQL user, in the four steps of AWS Secrets Manager.

It shares its connections with the function that makes databases and users. It runs in Lambda and never in the synth:
what it imports is in the asset that :mod:`aerodrome_constructs.database.lambda_asset` makes.
"""
