"""Runs the user's pipeline program against the local endpoint, and remembers what came of it."""
