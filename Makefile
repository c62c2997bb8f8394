# Two commands do everything on a fresh machine: `make demo` and `make test`. `make app` serves the pages.
PYTHON ?= python3
VENV = .venv
WEBUI_VENV = .venv-webui
RUN = $(VENV)/bin/python
RUN_WEBUI = $(WEBUI_VENV)/bin/python

# On two cores: tests that wait for a browser or for a process leave a core to the others.
WORKERS = -n 3 --dist loadfile --no-loadscope-reorder
WORKERS_BESIDE = -n 1

# Idle threads of OpenMP sleep; spinning, they take a browser or a second program fifteen times their share of two cores.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo app test test-standalone test-webui-pins stress check clean

demo: $(VENV)/.demo
	$(RUN) -m toyland.demo

app: $(VENV)/.demo
	$(RUN) -m extension_lib app

# Both halves run side by side, the second into a file, and both results are told, whichever fails.
test:
	-@$(MAKE) -k -j 2 $(VENV)/.test $(WEBUI_VENV)/.test
	@failed=; beside=$(WEBUI_VENV)/test.log; \
	$(MAKE) test-webui-pins >$$beside 2>&1 & second=$$!; \
	$(MAKE) test-standalone || failed="$$failed test-standalone"; \
	wait $$second || failed="$$failed test-webui-pins"; \
	cat $$beside; \
	$(RUN) tests/webui/record.py; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed"; exit 1; fi; \
	echo "Passed: test-standalone test-webui-pins"

test-standalone: $(VENV)/.test
	$(RUN) -m pytest $(WORKERS)

test-webui-pins: $(WEBUI_VENV)/.test
	$(RUN_WEBUI) -m pytest -m "not browser and not once" $(WORKERS_BESIDE)

# Tests that use threads, processes, time or a browser, many times in a row while every core is busy. Takes hours; TIMES=3 takes less.
TIMES ?= 30
STRESSED = tests/runs tests/workspaces tests/support tests/compare/test_saved_grids_standalone.py tests/data/test_doctor.py \
           tests/hosts/test_unsupported.py tests/models/test_diffusers_pipeline_standalone.py tests/test_cli_standalone.py \
           tests/test_install.py tests/ui

stress: $(VENV)/.test
	@failed=; \
	$(RUN) tests/stress.py $(TIMES) $(STRESSED) -m "not browser" || failed=1; \
	for file in $$(grep -l pytest.mark.browser tests/ui/*.py); do $(RUN) tests/stress.py $(TIMES) --apart $$file || failed=1; done; \
	[ -z "$$failed" ]

check: $(VENV)/.check
	$(RUN) -m ruff check .
	$(RUN) -m mypy

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q torch==2.13.0
	$(RUN) -m pip install -q .
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(RUN) -m pip install -q ".[test]"
	touch $@

$(VENV)/.check: $(VENV)/.demo
	$(RUN) -m pip install -q ".[check]"
	touch $@

# stable-diffusion-sdkit carries the real LDM classes; its own requirements would pull in another torch.
$(WEBUI_VENV)/.test: tests/requirements-webui.txt
	$(PYTHON) -m venv $(WEBUI_VENV)
	$(RUN_WEBUI) -m pip install -q wheel
	$(RUN_WEBUI) -m pip install -q -r tests/requirements-webui.txt
	$(RUN_WEBUI) -m pip install -q --no-deps stable-diffusion-sdkit==2.1.5
	touch $@

# studio stays: what was trained lies there.
clean:
	rm -rf $(VENV) $(WEBUI_VENV) demo-out
