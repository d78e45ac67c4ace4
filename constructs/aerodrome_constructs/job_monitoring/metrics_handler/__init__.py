"""The code of two Lambda functions: one counts what happens to jobs, one looks at what AWS sends no event for."""
