"""Compare model files on this machine: accuracy, latency, throughput, memory, and the effect of quantization.

python -m benchmarks --out report
python -m benchmarks --models emotion_float32.tflite emotion_int8.tflite --data data/fer2013 --out report
python -m benchmarks --sustained 10 --out report          ten minutes at full load: does the machine slow down?
"""

from __future__ import annotations

from benchmarks.measure.suite import measure, open_inputs
from benchmarks.options import Options, parse_args
from benchmarks.report.writer import REPORT_FILES, print_summary, write_report
from edge.errors import exit_status
from edge.files import check_writable
from train.progress import progress


def main(argv: list[str] | None = None) -> int:
    options = parse_args(__doc__, argv)
    return exit_status(lambda: benchmark(options))


def benchmark(options: Options) -> int:
    """Open everything, measure it, and write the report."""
    for name in REPORT_FILES:
        check_writable(options.out / name)
    inputs = open_inputs(options)
    with progress() as start_stage:
        results = measure(options, inputs, start_stage)
    write_report(results, options.out)
    print_summary(results, options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
