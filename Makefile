# SPDX-License-Identifier: GPL-3.0-or-later
# Every job of CI is a target here. "make help" lists them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help
COLLECTION := collections/ansible_collections/edge/gateway
export PATH := $(CURDIR)/.venv/bin:$(PATH)
STEP = @printf '\n\033[1m==> %s\033[0m\n'

.PHONY: schemas help setup packages lab provision demo site health clean test gates ruff mypy unit contract lint sanity docs molecule down eda guards figures bench-forwards bench-routes bench-fleet chaos $(CHAOS:%=chaos-%)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-14s %s\n", $$1, $$2}'

packages: ## install the Debian packages of debian-packages.txt that are missing
	@missing=$$(grep -vE '^(#|$$)' debian-packages.txt | while read -r name; do \
	  dpkg-query -W -f '$${Status}' "$$name" 2>/dev/null | grep -q 'ok installed' || echo "$$name"; done); \
	if [ -n "$$missing" ]; then echo "installing:" $$missing; \
	  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing >/dev/null; fi

.venv/.stamp: requirements.txt
	$(STEP) 'Python tools into .venv'
	@python3 -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt 2>&1 | { grep -v '^WARNING' || true; }
	@.venv/bin/pip check >/dev/null
	@touch $@

setup: packages .venv/.stamp ## Debian packages and the virtual environment

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

.PHONY: report-demo
report-demo: setup ## the report of a made-up fleet, .cache/report.html, and with Chromium its pictures in docs/images
	@PYTHONPATH=collections:tests python -m report.demo

down: ## stop the lab, keep what was built for it
	@[ ! -x .venv/bin/python ] || tests/lab/lab down

clean: ## remove the lab and all that was built; the virtual environment stays
	@[ ! -x .venv/bin/python ] || [ ! -d .lab ] || tests/lab/lab clean
	@rm -rf .cache .mypy_cache .pytest_cache .ruff_cache dist $(COLLECTION)/tests/output
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

gates: ruff mypy lint docs sanity ## all static checks

ruff: setup ## Python style
	$(STEP) 'ruff'
	@ruff check .

mypy: setup ## Python types
	$(STEP) 'mypy --strict'
	@mypy $(COLLECTION)/plugins
	@MYPYPATH=collections:tests mypy tests/unit tests/report tests/contract tests/eda tests/chaos tests/fuzz
	@MYPYPATH=.:tests/lab mypy bench/common bench/forwards bench/routes bench/fleet
	@cd tests/lab && MYPYPATH=. mypy --strict edge_lab controller.py node_services.py

lint: setup ## Ansible style, production profile
	$(STEP) 'ansible-lint'
	@ansible-lint --profile production --offline -q

docs: setup ## module and role documentation, changelog fragments
	$(STEP) 'documentation'
	@cd $(COLLECTION) && ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/collections antsibull-docs lint-collection-docs --plugin-docs \
	  --validate-collection-refs=self --disallow-unknown-collection-refs . && antsibull-changelog lint

schemas: setup ## write the JSON Schemas of the API anew
	@python tests/gates/schemas.py

sanity: setup ## ansible-test sanity
	$(STEP) 'ansible-test sanity'
	@tests/gates/sanity

unit: setup ## unit tests
	$(STEP) 'unit tests'
	@pytest tests/unit

contract: lab ## what is written is read back by the real nft, wg and Traefik
	$(STEP) 'contract tests, three at a time'
	@tests/contract/in-parts

molecule: setup ## all scenarios on real hosts, two at a time; each makes and removes its own (EDGE_LABS=3 for three)
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

CHAOS := power calls many
chaos: $(CHAOS:%=chaos-%) ## try to break it, in small; EDGE_CHAOS_PERCENT=100 for full size, see docs/reliability.md

chaos-%: lab
	$(STEP) 'chaos: $*'
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m chaos.$*

.PHONY: fuzz
fuzz: lab ## hostile input of every kind, and planted faults that must be found; EDGE_CHAOS_PERCENT=100 for 200,000
	$(STEP) 'fuzz'
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m fuzz
	@cd tests && PYTHONPATH=../collections:. ./lab/lab isolate python -m fuzz --control

guards: lab ## break each guard of the code in a copy; its tests must turn red
	$(STEP) 'guards'
	@cd tests && python -m chaos.guards

figures: ## write the last full-size runs of this machine into docs/reliability.md
	@cd tests && python -m chaos.figures

bench-forwards: lab ## measure forwards beside other ways, a quarter of an hour; BENCH=--quick runs each once
	$(STEP) 'bench/forwards'
	@python -m bench.forwards $(BENCH)

bench-routes: lab ## measure routes beside other ways, a quarter of an hour; BENCH=--quick runs each once
	$(STEP) 'bench/routes'
	@python -m bench.routes $(BENCH)

bench-fleet: lab ## measure site.yml for many edges, and one call, beside Ansible's own share; BENCH=--quick takes a minute
	$(STEP) 'bench/fleet'
	@python -m bench.fleet $(BENCH)

test: setup ## every gate and every test
	@$(MAKE) --no-print-directory gates unit contract
	@$(MAKE) --no-print-directory bench-forwards BENCH=--quick
	@$(MAKE) --no-print-directory bench-routes BENCH=--quick
	@$(MAKE) --no-print-directory molecule
	$(STEP) 'all passed'
