"""The program that tells flyteadmin where each project's tasks write. It runs in the cluster, with Python alone."""
