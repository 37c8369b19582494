"""`python -m implicitbias` is the command line."""

from implicitbias.cli import main

main()
