"""The AWS APIs on this machine: a moto server, corrected where moto would lose or fake data."""
