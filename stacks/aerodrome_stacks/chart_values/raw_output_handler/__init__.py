"""What tells flyteadmin where projects' tasks write, and as whom. It runs in the cluster, on Python."""
