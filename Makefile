# Two commands matter: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
FUZZ := .venv-fuzz
SECONDS ?= 600
# A test asks for one thread, but where it says how many.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal
RUNTIME := $(shell find runtime/src runtime/bind runtime/elman_runtime -name '*.cpp' -o -name '*.hpp' -o -name '*.py' 2>/dev/null) runtime/pyproject.toml runtime/CMakeLists.txt

.PHONY: demo test check check-native check-neon fuzz format wheel bench clean setup help

help:
	@echo "make demo    train a forecaster on real data and write a report"
	@echo "make test    run every test"
	@echo "make check   lint, types, import rules, sizes"
	@echo "make wheel   build both wheels and try them in empty environments"
	@echo "make check-native  the C++ tests, plain and under sanitizers (some minutes)"
	@echo "make check-neon  the same for Arm, under QEMU (needs qemu-user and g++-aarch64-linux-gnu)"
	@echo "make fuzz    break model files for SECONDS=600, and demand that each is refused or runs"
	@echo "make bench   the measurements that README quotes (hours)"
	@echo "make clean   remove what the others made (never runs/)"

setup: $(VENV)/.installed

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("elman needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ./runtime -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/elman demo forecast

test: setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest -q --doctest-modules --ignore=src/elman/cli src/elman runtime/elman_runtime
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m "not errors" --jaxtyping-packages=elman,beartype.beartype tests/nn tests/engine

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/sizes.py

# In C++ without Python: plain, then under the sanitizers of addresses, behaviour and threads.
check-native: setup
	mkdir -p build
	$(BIN)/python tools/native_plans.py build/plans.txt
	$(BIN)/python tools/native_images.py build/images.bin
	for kind in none address thread; do \
	    cmake -S runtime/tests/cpp -B build/native-$$kind -DELMAN_SANITIZE=$$kind -DELMAN_PLANS=$(CURDIR)/build/plans.txt -DELMAN_IMAGES=$(CURDIR)/build/images.bin -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python && \
	    cmake --build build/native-$$kind --parallel 2 && \
	    ctest --test-dir build/native-$$kind --output-on-failure || exit 1; done

# The same for 64-bit Arm, on any Linux: apt-get install qemu-user g++-aarch64-linux-gnu cmake
check-neon: setup
	mkdir -p build
	$(BIN)/python tools/native_plans.py build/plans.txt
	$(BIN)/python tools/native_images.py build/images.bin
	cmake -S runtime/tests/cpp -B build/native-neon -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu" -DELMAN_PLANS=$(CURDIR)/build/plans.txt -DELMAN_IMAGES=$(CURDIR)/build/images.bin
	cmake --build build/native-neon --parallel 2
	ctest --test-dir build/native-neon --output-on-failure

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup
	bash tools/wheel.sh $(BIN)/python

bench: setup $(BENCH)/.installed
	$(BIN)/elman cells
	$(BIN)/python bench/dropin_equality.py
	$(BIN)/python bench/dropin.py
	$(BIN)/python bench/kill.py
	$(BIN)/python bench/kill_stream.py
	$(BIN)/python bench/doctor.py
	$(BIN)/python bench/tape.py
	$(BIN)/python bench/memory_of_text.py
	for what in "layers.py --append --picture" "custom_cell.py --append" "scan.py --append" ragged.py \
	    "step.py --append" "runtime.py --append" onnx_parity.py "text_speed.py --append" "translation_speed.py --append"; do \
	    $(BENCH)/bin/python bench/$$what || exit 1; done
	for what in "forecast.py etth1" "forecast.py m4" "forecast.py air" "forecast.py neuralforecast" \
	    "forecast.py many" "language.py five" "sentiment.py sst" "sentiment.py sst --phrases" \
	    "sentiment.py mr" "translation.py multi30k" "memory.py adding" "memory.py copying" \
	    "memory.py sequential" "memory.py permuted" "memory.py --picture"; do \
	    OMP_NUM_THREADS=1 $(BENCH)/bin/python bench/$$what || exit 1; done

# The libraries that are compared with or score, apart from what the tests need.
$(BENCH)/.installed: pyproject.toml constraints.txt $(RUNTIME)
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt ./runtime -e '.[forecast,translate]'
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt neuralforecast==3.3.0 'ray[tune]' 'setuptools<81' 'jax[cpu]' onnx onnxruntime
	touch $@

# Guided by the lines that are reached; a file that was found is printed and kept.
fuzz: $(FUZZ)/.installed
	$(FUZZ)/bin/python tools/fuzz_model_file.py --seconds $(SECONDS)

$(FUZZ)/.installed:
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check atheris numpy
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) $(FUZZ) build dist runtime/build src/*.egg-info runtime/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
