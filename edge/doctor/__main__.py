"""Run `edge-emotion doctor` as `python -m edge.doctor`."""

from edge.doctor.command import main

raise SystemExit(main())
