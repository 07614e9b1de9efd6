"""Runs in processes of their own, forked off one that has all it needs in memory.

It has one thread: only there do sums have one order, and runs repeat to the bit.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

READY = """
import importlib, os, sys, traceback
sys.path.insert(0, sys.argv[1])
import faiss, scipy.optimize, sklearn.isotonic, timm, torch.utils.tensorboard
import ferembed.losses.pairwise, ferembed.losses.proxies, ferembed.recognizer, ferembed.shipped, ferembed.training.fit
import test_face_batches, test_fit, test_streaming
from ferembed.training.module import MetricLearner

begin = MetricLearner.on_train_batch_start

def stop_at(step, number):
    def begin_or_stop(self, batch, batch_idx):
        begin(self, batch, batch_idx)
        if self.global_step == step:
            os.kill(os.getpid(), number)
    MetricLearner.on_train_batch_start = begin_or_stop

for line in sys.stdin:
    step, number, module, function, *arguments = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr
        stop_at(int(step), int(number))
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
NEVER = -1


class Starter:
    """Starts functions of the test modules beside this file; their arguments are texts."""

    def __init__(self):
        command = [sys.executable, "-c", READY, str(Path(__file__).parent)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes)

    def start(self, function, *arguments, step=NEVER, number=signal.SIGTERM):
        """Number of the process of a run, which sends itself a signal as it begins a step."""
        module = Path(function.__code__.co_filename).stem
        line = [str(step), str(int(number)), module, function.__name__, *map(str, arguments)]
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
