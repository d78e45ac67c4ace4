"""Example workloads: copy them, and change them."""
