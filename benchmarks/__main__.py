"""Compare model files on this machine: accuracy, latency, throughput, memory, and the effect of quantization.

python -m benchmarks
python -m benchmarks --quick                              a first look, in under two minutes
python -m benchmarks --models emotion_float32.tflite emotion_int8.tflite --data data/fer2013 --out report
python -m benchmarks --sustained 10 --out report          ten minutes at full load: does the machine slow down?
python -m benchmarks --from report                        renders report/results.json again
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.compare import read_results
from benchmarks.measure.suite import measure, open_inputs
from benchmarks.options import Options, parse_args, results_folder
from benchmarks.report.writer import check_new, print_summary, render_report, write_report
from edge.errors import exit_status
from train.progress import progress


def main(argv: list[str] | None = None) -> int:
    options = parse_args(__doc__, argv)
    return exit_status(lambda: benchmark(options))


def benchmark(options: Options) -> int:
    """Open everything, measure it, and write the report; or render a former one again."""
    if options.rendered is not None:
        return render_again(options.rendered, options.out)
    check_new(options.out)
    inputs = open_inputs(options)
    with progress() as start_stage:
        results = measure(options, inputs, start_stage)
    write_report(results, options.out)
    print_summary(results, options.out)
    return 0


def render_again(path: Path, out: Path) -> int:
    """Write the pages, tables and figures of results.json in their own folder, or a whole report in a new one."""
    results = read_results(path)
    if out.resolve() == results_folder(path).resolve():
        render_report(results, out)
    else:
        check_new(out)
        write_report(results, out)
    print_summary(results, out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
