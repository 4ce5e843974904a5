"""The data sets of the field, one file an annotation format: `read_*` gives clips with their truth, `missing_*` names
listed clips that have none."""
