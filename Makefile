PYTHON ?= python3
LEAN = .venv-lean
FULL = .venv

# OpenCV with windows where there is a display to open them on, else the build that needs no libGL.
ifneq ($(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s)),)
PROFILE ?= desktop
else
PROFILE ?= headless
endif

.PHONY: demo test lint clean

demo: $(LEAN)/$(PROFILE).done  ## the lean environment, and the main job on a moving face
	$(LEAN)/bin/python edge/run.py --source demo $(ARGS)

test: $(FULL)/dev.done lint  ## the full environment, every check and every test
	$(FULL)/bin/python -m pytest $(ARGS)

lint: $(FULL)/dev.done
	$(FULL)/bin/ruff check .
	$(FULL)/bin/ruff format --check .
	$(FULL)/bin/mypy

$(LEAN)/%.done: pyproject.toml
	@rm -rf $(LEAN)
	$(PYTHON) -m venv $(LEAN)
	$(LEAN)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable ".[$*]"
	@$(LEAN)/bin/python -m pip uninstall --quiet --yes setuptools  # Python 3.11 and older bring it; nothing here uses it
	@touch $@

$(FULL)/%.done: pyproject.toml
	$(PYTHON) -m venv $(FULL)
	$(FULL)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	@touch $@

clean:
	rm -rf $(LEAN) $(FULL) build *.egg-info
