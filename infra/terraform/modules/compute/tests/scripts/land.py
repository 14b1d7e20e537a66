"""A script, for the tests of this module: what is in it does not matter to a plan."""
