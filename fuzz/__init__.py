"""Fuzzing of soundspot's readers: hostile bytes where each finds its file, and what comes of it; see docs/fuzzing.md."""
