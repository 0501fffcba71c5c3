"""Run `edge-emotion doctor` as `python -m edge.doctor`."""

from edge.doctor.command import main

if __name__ == "__main__":
    raise SystemExit(main())
