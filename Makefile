# Two commands do everything: `make app` opens the explorer, `make test` runs the tests.
PYTHON ?= python3
HOST ?= localhost
PORT ?= 8501

VENV := .venv
BIN := $(VENV)/bin

.PHONY: app test test-fast test-lowest stress lint locked clean

app: $(VENV)/app-ready
	$(BIN)/python -m streamlit run app/main.py --server.address $(HOST) --server.port $(PORT) \
		$(if $(filter-out localhost,$(HOST)),--server.allowedHosts '*')

test: $(VENV)/test-ready
	$(BIN)/python -m pytest

# In two processes, without what is marked `slow`: browsers, kills, whole trainings. Within three minutes on two cores.
test-fast: $(VENV)/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2

# The library's tests with the lowest versions that pyproject.toml allows, in an environment of their own. What needs an
# extra beyond `train` stays out. `make test-lowest PYTHON=python3.11`: older versions have wheels for that Python.
LOWEST := .venv-lowest
LOWEST_PINS := import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*p["dependencies"], *p["optional-dependencies"]["train"], sep="\n")
test-lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -c '$(LOWEST_PINS)' | sed 's/>=/==/' > $(LOWEST)/pins.txt
	grep -E '^(pytest|hypothesis|efficientnet)' requirements-dev.txt >> $(LOWEST)/pins.txt
	echo pandas >> $(LOWEST)/pins.txt
	$(LOWEST)/bin/python -m pip install --quiet -r $(LOWEST)/pins.txt
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -m "not slow" -n 2 tests/bon_core \
		$(addprefix --ignore=tests/bon_core/,test_explorer.py cli/test_doctor.py exports datasets/test_huggingface.py)

# Hours of kills, hostile files and page changes, in benchmarks/results/reliability.md. Atheris is not there everywhere.
stress: $(VENV)/test-ready
	-$(BIN)/python -m pip install --quiet atheris==3.0.0
	$(BIN)/python -m benchmarks.reliability

# The environment as requirements.lock has it, byte for byte.
locked: | $(BIN)/python
	$(BIN)/python -m pip install --require-hashes -r requirements.lock
	@touch $(VENV)/app-ready

# Python's style and types, and the JavaScript of the maps; oxlint comes as a wheel, so that nobody needs node.
lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/oxlint --deny-warnings app

clean:
	rm -rf $(VENV) $(LOWEST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed; try make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/app-ready: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/test-ready: requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@ $(VENV)/app-ready
