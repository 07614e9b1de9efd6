"""The nearest-neighbour classifier."""
