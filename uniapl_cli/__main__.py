"""python -m uniapl_cli."""

from uniapl_cli.cli.app import main

main()
