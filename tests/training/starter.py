"""Runs in processes of their own, forked off one that has all it needs in memory.

It has one thread: only there do sums have one order, and runs repeat to the bit.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

READY = """
import functools, importlib, os, sys, traceback
sys.path.insert(0, sys.argv[1])
import faiss, pytorch_metric_learning.losses, scipy.optimize, sklearn.isotonic, timm, torch.utils.tensorboard
import ferembed.losses.modules, ferembed.recognizer, ferembed.training.fit
import test_face_batches, test_fit, test_streaming

def stop_at(moment, number):
    "At the n-th call of a function, written module:qualified.name:n, the process sends itself a signal."
    module, name, call = moment.split(":")
    *owners, last = name.split(".")
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    function, left = getattr(owner, last), [int(call)]
    @functools.wraps(function)
    def stop_or_go_on(*arguments, **options):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), number)
        return function(*arguments, **options)
    setattr(owner, last, stop_or_go_on)

for line in sys.stdin:
    moment, number, module, function, *arguments = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr
        if moment:
            stop_at(moment, int(number))
        try:
            getattr(importlib.import_module(module), function)(*arguments)
            code = 0
        except SystemExit as stopped:
            code = stopped.code
        except BaseException:
            traceback.print_exc()
            code = 1
        os._exit(code)  # to take down all that was loaded would take longer than the run
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def at_step(step):
    """The moment in which a run begins a step, counted from 0."""
    return f"ferembed.training.module:MetricLearner.training_step:{step + 1}"


class Starter:
    """Starts functions of the test modules beside this file; their arguments are texts."""

    def __init__(self):
        command = [sys.executable, "-c", READY, str(Path(__file__).parent)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes)

    def start(self, function, *arguments, moment="", number=signal.SIGTERM):
        """Number of the process of a run, which may send itself a signal at a moment, such as a step."""
        module = Path(function.__code__.co_filename).stem
        line = [moment, str(int(number)), module, function.__name__, *map(str, arguments)]
        self.process.stdin.write("\t".join(line) + "\n")
        return int(self.process.stdout.readline())

    def end(self):
        """Exit code of the run that was started last."""
        return int(self.process.stdout.readline())

    def run(self, function, *arguments, **stop):
        self.start(function, *arguments, **stop)
        return self.end()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        self.process.stdout.close()
