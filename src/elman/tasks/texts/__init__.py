"""The parts of the tasks on text; the pages beside this folder put them together."""
