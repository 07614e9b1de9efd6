"""What a step frees is there for the next."""

import ctypes
import subprocess
import sys

import pytest

STEPS = """
import resource
import numpy as np
from ferembed.training.memory import keep_freed_memory

{first}
for step in range(12):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(2**20) for _ in range(8)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="a C library other than glibc"
)
def test_freed_memory_is_kept_and_not_asked_for_again():
    def faults(first):
        done = subprocess.run([sys.executable, "-c", STEPS.format(first=first)], capture_output=True, check=True)
        return int(done.stdout)

    assert faults("keep_freed_memory()") < faults("") / 5


def test_where_the_c_library_is_another_nothing_happens(monkeypatch):
    from ferembed.training.memory import keep_freed_memory

    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
