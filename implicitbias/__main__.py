"""`python -m implicitbias` is the command line."""

from implicitbias.cli import main

if __name__ == "__main__":
    main()
