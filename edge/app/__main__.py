"""Run `edge-emotion app` as `python -m edge.app`."""

from edge.app.command import main

if __name__ == "__main__":
    raise SystemExit(main())
