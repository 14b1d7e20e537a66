"""Drafts a contract from samples of a data set: what is in them, what follows from that, and what stays unsure."""
