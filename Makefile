# SPDX-License-Identifier: GPL-3.0-or-later
# Every job of CI is a target here. "make help" lists them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help
COLLECTION := collections/ansible_collections/edge/gateway
export PATH := $(CURDIR)/.venv/bin:$(PATH)
STEP = @printf '\n\033[1m==> %s\033[0m\n'

# every target that has a name of words
.PHONY: $(shell grep -oE '^[a-z-]+:' Makefile | tr -d :)

##@ To begin with

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / {printf "%s%s\n", (n++ ? "\n" : ""), substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

packages: ## install the Debian packages of debian-packages.txt that are missing
	@missing=$$(grep -vE '^(#|$$)' debian-packages.txt | while read -r name; do \
	  dpkg-query -W -f '$${Status}' "$$name" 2>/dev/null | grep -q 'ok installed' || echo "$$name"; done); \
	if [ -n "$$missing" ]; then echo "installing:" $$missing; \
	  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing >/dev/null; fi

.venv/.stamp: requirements.lock
	$(STEP) 'Python tools into .venv'
	@python3 -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock 2>&1 | { grep -v '^WARNING' || true; }
	@.venv/bin/pip check >/dev/null
	@touch $@

setup: packages .venv/.stamp ## Debian packages and the virtual environment

lock: packages ## choose what requirements.txt needs anew, with the checksum of every file, into requirements.lock
	$(STEP) 'requirements.lock'
	@python3 -m venv .cache/venv-lock
	@.cache/venv-lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 2>&1 | { grep -v '^WARNING' || true; }
	@.cache/venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	  requirements.txt --output-file requirements.lock

##@ The lab: four systemd hosts in a closed namespace

lab: setup ## bring the lab up: hub, edge1, node1 and client, in a namespace of their own
	$(STEP) 'The lab'
	@tests/lab/lab up

provision: lab ## give the lab's hub and node their services
	$(STEP) 'Hub, node and client'
	@ansible-playbook tests/lab/provision.yml

site: provision ## run site.yml against the lab
	$(STEP) 'ansible-playbook site.yml'
	@ansible-playbook site.yml

demo: site ## the whole story in one command: lab, site.yml, and traffic from outside
	@tests/lab/demo

health: ## report the health of the edges
	@ansible-playbook playbooks/health.yml

report-demo: setup ## the report of a made-up fleet, .cache/report.html, and with Chromium its pictures in the documentation
	@PYTHONPATH=collections:tests python -m report.demo

down: ## stop the lab, keep what was built for it
	@[ ! -x .venv/bin/python ] || tests/lab/lab down

clean: ## remove the lab and all that was built; the virtual environment stays
	@[ ! -x .venv/bin/python ] || [ ! -d .lab ] || tests/lab/lab clean
	@rm -rf .cache .mypy_cache .pytest_cache .ruff_cache dist $(COLLECTION)/tests/output
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

##@ Checks without a host

# the longest first; each one's output when it is done, and all of them although one fails
GATES := sanity docsite lint rehearse docs mypy importer sandbox licences shell ruff
gates: setup ## all of these checks, two at a time
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target $(GATES)

ruff: setup ## Python style
	$(STEP) 'ruff'
	@ruff check .

mypy: setup ## Python types
	$(STEP) 'mypy --strict'
	@mypy $(COLLECTION)/plugins
	@MYPYPATH=collections:tests mypy tests/unit tests/report tests/docsite tests/contract tests/eda tests/release tests/chaos tests/install tests/fuzz
	@MYPYPATH=.:tests/lab mypy bench/common bench/forwards bench/routes bench/fleet
	@MYPYPATH=collections:tests:tests/lab:molecule mypy tests/vm
	@cd tests/lab && MYPYPATH=. mypy --strict edge_lab controller.py node_services.py

lint: setup ## Ansible style, production profile
	$(STEP) 'ansible-lint'
	@ansible-lint --profile production --offline -q

docs: setup ## module and role documentation, changelog fragments
	$(STEP) 'documentation'
	@cd $(COLLECTION) && ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/collections antsibull-docs lint-collection-docs --plugin-docs --check-extra-docs-refs \
	  --validate-collection-refs=self --disallow-unknown-collection-refs . && antsibull-changelog lint && \
	  antsibull-changelog lint-changelog-yaml changelogs/changelog.yaml

docsite: setup ## the documentation site, .cache/site/build/html; a warning is an error
	$(STEP) 'documentation site'
	@tests/gates/docsite

schemas: setup ## write the JSON Schemas of the API anew
	@python tests/gates/schemas.py

errors: setup ## write the reference of messages anew, for the documentation
	@python tests/gates/errors.py

sanity: setup ## ansible-test sanity, all of it: an ignore file is an error
	$(STEP) 'ansible-test sanity'
	@tests/gates/sanity

importer: setup ## build the collection into dist/, and read it as Galaxy does; a warning is an error
	$(STEP) 'galaxy-importer'
	@tests/gates/importer

licences: setup ## REUSE: every file says whose it is and under which licence
	$(STEP) 'reuse lint'
	@reuse lint --quiet || { reuse lint --lines; exit 1; }

shell: setup ## shellcheck, for every script of a shell
	$(STEP) 'shellcheck'
	@tests/gates/shell

sandbox: setup ## our units are exposed to 2.0 or less, by systemd-analyze security
	$(STEP) 'systemd-analyze security'
	@python tests/gates/sandbox.py

rehearse: setup ## a release in a throw-away clone, and what an execution environment is built of
	$(STEP) 'release and execution environment'
	@pytest tests/release

##@ Tests

unit: setup ## unit tests
	$(STEP) 'unit tests'
	@pytest tests/unit
	$(STEP) 'ansible-test units, the oldest Python that is here'
	@python tests/gates/units.py

units-pythons: setup ## the tests of what runs on hosts, by ansible-test units, with Python 3.8 to 3.13 as far as they are here
	$(STEP) 'ansible-test units'
	@python tests/gates/units.py all

mirror: setup
	@tests/lab/lab mirror

contract: mirror ## what is written is read back by the real nft, wg and Traefik
	$(STEP) 'contract tests, three at a time'
	@tests/contract/in-parts

install-test: lab ## the built collection beside nothing but ansible-core; CELLS=all (or 2.18-trixie,...) tries more versions
	$(STEP) 'the collection as it is installed'
	@PYTHONPATH=tests python -m install $(CELLS)

molecule: setup ## all scenarios on real hosts, three at a time (EDGE_LABS); each makes and removes its own
	$(STEP) 'molecule'
	@tests/lab/lab down
	@molecule/in-parts

.cache/venv-eda/.stamp: tests/eda/requirements-eda.txt
	$(STEP) 'ansible-rulebook into .cache/venv-eda'
	@python3 -m venv .cache/venv-eda
	@.cache/venv-eda/bin/pip install --quiet --disable-pip-version-check -r tests/eda/requirements-eda.txt 2>&1 \
	  | { grep -v '^WARNING' || true; }
	@touch $@

eda: site .cache/venv-eda/.stamp ## the API over HTTP, on the lab's edge1; needs Java 17 (openjdk-17-jre-headless)
	$(STEP) 'the API over HTTP'
	@unshare --net sh -c 'ip link set lo up && exec pytest tests/eda'

test-vm: setup ## site.yml on virtual machines with the kernel's WireGuard, no KVM; needs qemu-system-x86 and e2fsprogs (see CONTRIBUTING.md)
	$(STEP) 'virtual machines'
	@PYTHONPATH=tests:tests/lab python -m vm.disk
	@PYTHONPATH=tests/lab:molecule tests/lab/lab isolate pytest -xvv --durations=0 --durations-min=1 tests/vm

##@ What tries to break it

# the longest first
CHAOS := long sick kills secrets calls traffic many power
chaos: $(CHAOS:%=chaos-%) ## try to break it, in small; EDGE_CHAOS_PERCENT=100 for full size, see docs/reliability.md

chaos-%: mirror
	$(STEP) 'chaos: $*'
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m chaos.$*

chaos-secrets: mirror
	$(STEP) 'chaos: secrets'
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m chaos.secrets
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m chaos.secrets --control

# on the lab's own hosts; not part of "make chaos", since each stands for minutes in the way of what else uses the lab
LAB_CHAOS := $(addprefix chaos-,boots runs writers)
chaos-lab: $(LAB_CHAOS) ## the same on whole hosts: they restart, site.yml is killed, and runs among fifty other calls

$(LAB_CHAOS): chaos-%: site
	$(STEP) 'chaos: $*'
	@cd tests && PYTHONPATH=../collections:. python -m chaos.$*

fuzz: mirror ## hostile input of every kind, and planted faults that must be found; EDGE_CHAOS_PERCENT=100 for 200,000
	$(STEP) 'fuzz'
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m fuzz
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m fuzz --control

guards: mirror ## break each guard of the code in a copy; its tests must turn red
	$(STEP) 'guards'
	@cd tests && python -m chaos.guards

figures: ## write the last full-size runs of this machine into docs/reliability.md
	@cd tests && python -m chaos.figures

##@ Benchmarks

bench-forwards: lab ## measure forwards beside other ways, a quarter of an hour; BENCH=--quick runs each once
	$(STEP) 'bench/forwards'
	@python -m bench.forwards $(BENCH)

bench-routes: lab ## measure routes beside other ways, a quarter of an hour; BENCH=--quick runs each once
	$(STEP) 'bench/routes'
	@python -m bench.routes $(BENCH)

bench-fleet: lab ## measure site.yml for many edges, and one call, beside Ansible's own share; BENCH=--quick takes a minute
	$(STEP) 'bench/fleet'
	@python -m bench.fleet $(BENCH)

##@ All of it

execution-environment: setup ## build the image edge-gateway-ee with podman; fetches its base image from a registry
	@ansible-builder build --context .cache/execution-environment --container-runtime podman

release: setup ## VERSION=x.y.z: changelog, tarball, commit and tag; publishes nothing (docs/releasing.md)
	@.ci/release '$(VERSION)'

test: setup ## every gate and every test
	@$(MAKE) --no-print-directory gates unit contract
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target chaos fuzz
	@$(MAKE) --no-print-directory install-test
	@$(MAKE) --no-print-directory bench-forwards BENCH=--quick
	@$(MAKE) --no-print-directory bench-routes BENCH=--quick
	@$(MAKE) --no-print-directory molecule
	$(STEP) 'all passed'
