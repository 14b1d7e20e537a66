"""The lineage of fields: from what comes in, through the columns of the models, to what is shown and searched."""
