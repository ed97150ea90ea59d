"""Its presence puts this folder on the import path, so that every suite can `from naive import ...`."""
