# Everything a user or a build machine needs: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One environment serves both: the test tools are added on top of the package.
INSTALLED := $(VENV)/.installed
TESTED := $(VENV)/.installed-test

.PHONY: demo test test-deep lint benchmark clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glassformer needs Python 3.11 or newer; run make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(TESTED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/glassformer run honkoop2025/alignment --scale quick -o demo/alignment
	@echo "figure: demo/alignment/figure.png"
	@echo "data:   demo/alignment/result.nc"

lint: $(TESTED)
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q --doctest-modules src/glassformer -p no:randomly -p no:cacheprovider
	$(BIN)/python -m pytest -q -p no:randomly -p no:cacheprovider tests/docs

test: lint
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests

test-deep: $(TESTED)
	$(BIN)/python -m pytest -q -m deep tests

benchmark: $(TESTED)
	for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) demo runs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
