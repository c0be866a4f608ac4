"""``python -m sheaf.cli``: the command line, where no script is installed."""

from sheaf.cli import main

main()
