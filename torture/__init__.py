"""Trials too long for every run of the tests: `python -m torture NAME --out FOLDER`, each resumable."""
