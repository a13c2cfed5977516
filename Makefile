# Everything is installed into .venv; a fresh machine needs only CPython 3.10 to 3.13 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-packages test-runtime test-lowest lock sbom pi pi-budgets lint format wheel device-wheel docs bench bench-page clean

help: ## show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create or update the virtual environment

# Once, and again when pyproject.toml changes. Dependency groups need pip 25.1 or newer.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "edgewise needs CPython 3.10 to 3.13; select one with: make PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[workstation]' --group dev
	@touch $@

demo: $(READY) ## train on drawn shapes, export, verify, classify: a few minutes
	$(BIN)/edge-train shapes demo/photos --overwrite
	$(BIN)/edge-train train demo/photos --model cnn --image-size 64 --no-augment --epochs 12 --out demo/run --overwrite
	$(BIN)/edge-export export demo/run --out demo/bundle --overwrite
	$(BIN)/edge-export verify demo/bundle
	$(BIN)/edge-train shapes demo/new --count 5 --seed 2 --overwrite
	$(BIN)/edge-run classify demo/bundle demo/new
	$(BIN)/edge-run inspect demo/bundle --time

test: lint ## lint, types, import rules and every test
	@echo "the tests, two jobs in parallel; the output of each is shown when it has ended"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-runtime test-packages

# In processes of their own: TensorFlow and tflite-runtime cannot share one. The two jobs take about equally long.
test-packages: $(READY)
	$(BIN)/python -m pytest tests/export
	$(BIN)/python -m pytest tests/trainer

test-runtime: $(READY)
	$(BIN)/python -m pytest tests/edge_runtime tests/test_imports.py tests/test_usage.py tests/test_requirements.py
	$(BIN)/python -m pytest tests/test_end_to_end.py tests/test_loop.py tests/docs

# The runtime alone, in an environment of its own; CI runs it with CPython 3.11. LiteRT's bound is that of the extra `pi`,
# which also wants the newest Pillow. `make test` has the newest versions.
LOWEST := build/lowest
test-lowest: $(READY) ## the runtime's tests with the lowest versions that pyproject.toml allows
	mkdir -p $(LOWEST)/models
	$(BIN)/python tests/edge_runtime/make_models.py $(LOWEST)/models
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)/venv
	$(BIN)/uv pip install --quiet --python $(LOWEST)/venv/bin/python --resolution lowest-direct \
		'.[tflite-runtime,onnx,camera,mqtt,serve]' 'ai-edge-litert>=2.1' 'pytest>=8.3'
	EDGEWISE_TEST_MODELS=$(abspath $(LOWEST)/models) $(LOWEST)/venv/bin/python -m pytest tests/edge_runtime

# Versions and hashes of everything that a device installs, for CPython 3.11 and newer and every processor.
lock: $(READY) ## write requirements/pi.txt with the newest versions
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --custom-compile-command "make lock" --extra pi --extra camera --extra mqtt --extra serve \
		--output-file requirements/pi.txt pyproject.toml

# Debian's packages, wheels and bundles are kept in ~/.cache/edgewise-pi.
pi: $(READY) ## the runtime on emulated Raspberry Pis: needs qemu, says how to install it
	@$(BIN)/python tests/pi/emulated/commands.py
	$(BIN)/python -m pytest tests/pi

pi-budgets: $(READY) ## set tests/pi/budgets.json to the present cost of frames and size of installations
	@$(BIN)/python tests/pi/emulated/commands.py
	$(BIN)/python -m pytest tests/pi/test_cost.py tests/pi/test_size.py --renew-budgets

lint: $(READY) ## ruff, mypy, import-linter and the schemas of the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

format: $(READY) ## format the code and fix simple findings
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(READY) ## build the wheel and the sdist in dist/, a wheel with only the runtime in build/device/, and the SBOM
	$(BIN)/python -m build --outdir dist .
	$(MAKE) --no-print-directory device-wheel sbom

# A software bill of materials (CycloneDX) of what requirements/pi.txt installs on a device.
sbom: $(READY)
	mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-format JSON \
		--output-file build/edgewise.cdx.json requirements/pi.txt

# A device runs neither trainer/ nor export/, which are half of the wheel. DEVICE is emptied first.
DEVICE ?= build/device
device-wheel: $(READY)
	rm -rf '$(DEVICE)' && mkdir -p '$(DEVICE)/unpacked'
	$(BIN)/python -m build --wheel --outdir '$(DEVICE)/unpacked' .
	$(BIN)/wheel unpack --dest '$(DEVICE)/unpacked' '$(DEVICE)'/unpacked/*.whl
	cd '$(DEVICE)'/unpacked/edgewise-*/ && rm -r trainer export && \
		sed -i '/= *\(trainer\|export\)\./d' *.dist-info/entry_points.txt
	$(BIN)/wheel pack --dest-dir '$(DEVICE)' '$(DEVICE)'/unpacked/edgewise-*/
	rm -r '$(DEVICE)/unpacked'

docs: $(READY) ## write the API reference to build/docs
	$(BIN)/python docs/build_api.py build/docs

# DATA holds folders of photographs, each with a folder for each class; WEIGHTS is a pretrained MobileNetV2.
DATA ?= ../shared/data
WEIGHTS ?= ../shared/weights/mobilenet_v2_1.0_160_notop.weights.h5
bench: $(READY) ## run every benchmark; hours, on a machine that does nothing else
	$(BIN)/python benchmarks/run_all.py --data $(DATA) --weights $(WEIGHTS)

bench-page: $(READY) ## write docs/benchmarks.md and README's tables from benchmarks/results
	$(BIN)/python benchmarks/page.py

clean: ## remove the virtual environment, caches and the demo's output
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
