# Needs Python >= 3.11 and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# Two workers of one thread each: more threads than cores would only wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo test test-slow check clean

demo: .venv/installed
	@echo "Asking the shipped recogniser: less than a minute on two cores. ferembed demo --train trains one on drawn faces."
	@$(BIN)/ferembed demo --out demo

test: .venv/installed-dev
	@echo "Testing on two workers: five to ten minutes on two cores."
	@$(PYTEST)

test-slow: .venv/installed-dev
	@echo "Testing what takes long (torch.compile, two processes, the whole of FER2013): three to thirteen minutes on two cores."
	@$(PYTEST) -m slow

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:
	rm -rf .venv demo

.venv/installed: pyproject.toml
	@echo "Installing the library with PyTorch into .venv: about 6 GB, three to ten minutes, once."
	@$(PYTHON) -m venv .venv
	@$(PIP) --editable '.[faces,onnx]'
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Installing what the tests need: about 0.5 GB, a minute, once."
	@$(PIP) --editable '.[dev]'
	@touch $@
