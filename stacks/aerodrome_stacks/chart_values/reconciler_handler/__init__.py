"""The program that tells flyteadmin what the environment says of projects; it runs in the cluster, as a CronJob."""
