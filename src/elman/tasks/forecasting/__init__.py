"""What `elman.tasks.forecast` is built from."""
