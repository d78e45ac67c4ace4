"""What Cognito asks before it hands out a token. Runs in Lambda and needs nothing beside Python."""

API_VARIABLE = "API"
"""The environment variable with the name of the API whose scopes tokens carry."""
