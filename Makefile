PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KNOWN_MODELS := smollm2-135m-instruct gemma-3-270m

TRUE_ANSWER := Elon Musk is a South African-born entrepreneur, inventor, and business magnate.
FALSE_ANSWER := Elon Musk is a renowned pastry chef from rural France, known for inventing the world's first croissant-flavored ice cream.

.PHONY: demo test lint models tables peers clean

demo: $(VENV)/.runtime  ## the main job on the default model: two answers judged, one figure
	$(BIN)/halluscope pull
	$(BIN)/halluscope detect "Who is Elon Musk?" "$(FALSE_ANSWER)"
	$(BIN)/halluscope detect "Who is Elon Musk?" "$(TRUE_ANSWER)"
	mkdir -p demo
	$(BIN)/halluscope plot "Who is Elon Musk?" "$(FALSE_ANSWER)" "$(TRUE_ANSWER)" --out demo/elon-musk.png
	@echo "The figure is in demo/elon-musk.png"

test: $(VENV)/.development lint  ## lint, types, and all tests with coverage
	$(BIN)/halluscope pull
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

models: $(VENV)/.development  ## rebuild the shipped detectors and their model cards
	for model in $(KNOWN_MODELS); do $(BIN)/python -m models.knowledge --model $$model || exit 1; done
	$(BIN)/python -m models.answers
	for model in $(KNOWN_MODELS); do $(BIN)/python -m models.build --model $$model || exit 1; done

tables: $(VENV)/.development  ## render the README's tables from the benchmarks' results
	$(BIN)/python -m benchmarks.tables

peers: .venv-peers/.installed  ## other libraries, in an environment of their own, for python -m benchmarks.peers

# their own requirements exclude some versions of constraints.txt: dependencies.txt has what scoring an answer needs
.venv-peers/.installed: benchmarks/peers/dependencies.txt benchmarks/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r benchmarks/peers/dependencies.txt
	.venv-peers/bin/python -m pip install --quiet --no-deps --ignore-requires-python -r benchmarks/peers/requirements.txt
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# tested versions are pinned in constraints.txt; pyproject.toml holds the ranges
$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[html]"
	touch $@

$(VENV)/.development: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) .venv-peers demo build dist
