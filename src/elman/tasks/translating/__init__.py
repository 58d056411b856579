"""The parts of `elman.tasks.translate`."""
