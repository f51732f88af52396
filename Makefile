# Two commands are enough: `make demo` and `make test`. Each sets up .venv first, once.

PYTHON ?= python3
MINUTES ?= 20
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo ablation rate studio test lint format rooms clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## train the laptop cascade and show its images (MINUTES=20)
	$(BIN)/python -m imagen_lit.demo minutes=$(MINUTES)

# Three questions of the paper, three trainings an arm; the base's trainings are shared. Fewer points than the files have.
ABLATE := $(BIN)/python -m imagen_lit.ablate launcher=joblib

ablation: $(READY) ## three of the paper's ablations on a laptop, with their reports
	$(ABLATE) text_encoder 'only.encoder=[t5_nano_random,t5_nano]' \
	  'figures.trade_off.points.weight.values=[1,3,8]' 'figures.learning.points.age.values=[16_000,32_000]'
	$(ABLATE) thresholding 'figures.trade_off.points.weight.values=[1,4,16]' \
	  'figures.saturation.points.weight.values=[1,4,16]'
	$(ABLATE) augmentation 'only.augmentation=[none,truncated_noise]'

# Held-out prompts, eight images each, by the demo's first checkpoint that is still there and by its last.
RATED := ["a picture of a pink diamond under a large pink triangle","a small cyan triangle","one yellow square", \
  "there is a red square above a large yellow diamond","this shows three orange triangles", \
  "a picture of two small green diamonds"]

rate: $(READY) ## rate the images of two checkpoints of the demo, on a page for a phone
	@set -- $$(ls runs/demo/base/checkpoints 2>/dev/null | sed -n 's/^0*\([0-9]*\)\.ckpt$$/\1/p'); \
	if [ $$# -lt 2 ]; then echo "there are no two checkpoints in runs/demo/base; type make demo first"; exit 1; fi; \
	first=$$1; shift $$(($$# - 1)); last=$$1; \
	for images in $$first $$last; do \
	  echo "drawing with the base stage after $$images images"; \
	  $(BIN)/python -m imagen_lit.sample prompts='$(RATED)' images=8 cascade.base.images=$$images \
	    out=ratings/demo/$$images >/dev/null || exit 1; \
	done; \
	$(BIN)/python -m imagen_lit.rate raters=2 folder=ratings/demo/study_$${first}_$$last \
	  prompt_facts=runs/demo/evaluation/results.jsonl \
	  systems="{after_$$first: ratings/demo/$$first/sr2, after_$$last: ratings/demo/$$last/sr2}"

studio: $(READY) ## draw with the demo's cascade, on a page of this machine
	$(BIN)/python -m imagen_lit.studio

setup: $(READY) ## install everything into .venv, and no more

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder

lint: $(READY) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## correct style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

rooms: $(READY) ## draw docs/architecture.svg from the imports
	$(BIN)/python docs/draw_rooms.py

clean: ## remove .venv and the caches; data sets, encoders and runs stay
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis

# The stamp is written last, so the next make continues a set-up that was interrupted.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "imagen_lit needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: install its venv package"; \
	  echo "(on Debian and Ubuntu: apt install python3-venv), then type the same again."; exit 1; }
	@echo "Setting up .venv; the packages are about 1.5 GB, so the first time takes minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	@touch $@
