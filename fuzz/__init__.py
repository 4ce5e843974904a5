"""Fuzzing of the readers: hostile bytes where each finds its file, and what may come of it; see docs/fuzzing.md."""
