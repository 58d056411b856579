"""Applications, a page each."""
