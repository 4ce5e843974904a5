"""Corpora that outgrow one machine, on Ray Data: the same functions as locally, a shard of films or clips at a time.

A shard is a fixed range of the corpus. It is the unit of work, of retry and of what is kept, so no byte of a result
depends on how many machines there are, in which order they finish, or how often one of them dies.
"""
