"""Search indexes from models: a mapping from the model's columns, a full build, the alias moved to it."""
