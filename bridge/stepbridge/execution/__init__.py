"""Runs pipelines: scheduler, step types, cache, retry, and the journal of runs."""
