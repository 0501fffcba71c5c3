PYTHON ?= python3
LEAN = .venv-lean
FULL = .venv
LINT = .venv-lint
# Tests of one group share fixtures; see tests/conftest.py. Each process may hold TensorFlow, so there are few.
PARALLEL = --numprocesses auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

# An OpenCV that opens windows if there is a display, else the one that needs no libGL.
ifneq ($(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s)),)
PROFILE ?= desktop
else
PROFILE ?= headless
endif

.PHONY: demo test test-fast test-lean fuzz lint clean

demo: $(LEAN)/$(PROFILE).done  ## install the lean environment and run the shipped model on a moving face
	$(LEAN)/bin/edge-emotion demo $(ARGS)
	@echo "next: $(LEAN)/bin/edge-emotion (the first camera), $(LEAN)/bin/edge-emotion --help"

test: $(FULL)/dev.done lint  ## install the full environment and run every check
	$(FULL)/bin/python -m pytest $(PARALLEL) $(ARGS)

test-fast: $(FULL)/dev.done  ## run the tests that train, export and measure nothing
	$(FULL)/bin/python -m pytest $(PARALLEL) -m "not slow" $(ARGS)

test-lean: .venv-lowest/lean.done .venv-newest/lean.done  ## test edge with the lowest and the newest versions allowed
	.venv-lowest/bin/python -m pytest $(PARALLEL) -m "not slow" tests/edge $(ARGS)
	.venv-newest/bin/python -m pytest $(PARALLEL) -m "not slow" tests/edge $(ARGS)

fuzz: $(FULL)/dev.done  ## attack with damaged and hostile input for minutes, and print the counts
	$(FULL)/bin/python -m pytest -m fuzz --capture=no tests/edge $(ARGS)

lint: $(LINT)/lint.done  ## ruff and mypy, without TensorFlow
	$(LINT)/bin/ruff check .
	$(LINT)/bin/ruff format --check .
	$(LINT)/bin/mypy

$(LEAN)/%.done: pyproject.toml
	@rm -rf $(LEAN)
	$(PYTHON) -m venv $(LEAN)
	$(LEAN)/bin/python $(PIP_INSTALL) --no-compile --editable ".[$*,record]"
	@$(LEAN)/bin/python -m pip uninstall --quiet --yes setuptools  # Python 3.11 and older install it; nothing here uses it
	@touch $@

$(FULL)/%.done $(LINT)/%.done: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --no-compile --editable ".[$*]"
	@touch $@

.venv-lowest/lean.done: CONSTRAINTS = --constraint tests/lowest.txt
.venv-lowest/lean.done .venv-newest/lean.done: pyproject.toml tests/lowest.txt
	@rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP_INSTALL) --no-compile --editable ".[headless]" pytest pytest-xdist $(CONSTRAINTS)
	@touch $@

clean:
	rm -rf $(LEAN) $(FULL) $(LINT) .venv-lowest .venv-newest build *.egg-info
