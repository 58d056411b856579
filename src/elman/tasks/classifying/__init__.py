"""The parts of the task `classify`; the page beside this folder puts them together."""
