"""Results for people: tables for a terminal, Markdown, and one HTML page."""

from soundspot.benchmarks.report.markdown import markdown
from soundspot.benchmarks.report.rows import HEADLINES, notes, rows
from soundspot.benchmarks.report.terminal import rich_tables

__all__ = ["HEADLINES", "markdown", "notes", "rich_tables", "rows"]
