"""`python -m stepbridge`."""

from stepbridge.cli import main

main()
