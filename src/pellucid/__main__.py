"""`python -m pellucid`, the same as `pellucid`."""

from pellucid.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
