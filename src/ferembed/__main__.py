"""``python -m ferembed``: the command line."""

from ferembed.cli import main

if __name__ == "__main__":
    main()
