"""Benchmarks, protocols and scoring: predictions in, results out, floors and ceilings beside."""

from soundspot.benchmarks.priors import PRIORS, prior
from soundspot.benchmarks.protocols import PROTOCOLS, Protocol
from soundspot.benchmarks.result import Result, Value
from soundspot.benchmarks.score import score
from soundspot.benchmarks.table import BENCHMARKS, Benchmark, find_benchmark

__all__ = [
    "BENCHMARKS",
    "PRIORS",
    "PROTOCOLS",
    "Benchmark",
    "Protocol",
    "Result",
    "Value",
    "find_benchmark",
    "prior",
    "score",
]
