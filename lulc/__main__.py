"""`python -m lulc` is `lulc`."""

from lulc.cli import main

if __name__ == "__main__":
    main()
