"""Reads the rows of a model, in Arrow batches, from the engine that holds it."""
