# Everything installs what it needs into .venv first; what else a target needs, it says.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
DATA ?= data
BIN := .venv/bin

.PHONY: demo test lint conformance oracle-check bench bench-cutouts bench-sky bench-anomaly bench-anomaly-quality bench-anomaly-job bench-footprint image image-check rolling-restart clean help

help:
	@echo "make demo [PORT=8000]   install, build the sample release, serve it on 127.0.0.1"
	@echo "make test               install, run the whole suite"
	@echo "make lint               ruff and mypy"
	@echo "make conformance        validators and clients of the field against a fresh service"
	@echo "make oracle-check       Oracle: its SQL on H2 and on the grammar, the service on a double (Java, Node.js)"
	@echo "make bench              measurements beside the peers, in bench/"
	@echo "make bench-cutouts      stamps of large images beside fitsio and astropy"
	@echo "make bench-anomaly-job [ANOMALY='rows trees d']  an anomaly job with one and two processes"
	@echo "make bench-footprint [FOOTPRINT=d] [TILES=f]  maps, MOCs and tiles beside healpy, mocpy and shapely"
	@echo "make bench-sky [SKY=d]  searches among 20 million rows beside q3c and pgSphere (PostgreSQL 15)"
	@echo "make bench-anomaly [FOREST=options]  the isolation forest beside eif, isotree, treeple, coniferest and scikit-learn"
	@echo "make bench-anomaly-quality [FOREST=options]  what it finds beside eif and scikit-learn, 30 forests a side"
	@echo "make image              the container image, by buildah on a Debian of its own (root)"
	@echo "make rolling-restart    every process restarted in turn while clients query (HAProxy, if installed)"
	@echo "make image-check        the service from that image on loopback, read-only, without rights (root)"

demo: .venv/installed
	$(BIN)/vo serve --sample --data $(DATA) --port $(PORT)

test: .venv/installed-dev
	$(BIN)/pytest

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

conformance: .venv/installed-dev
	$(BIN)/python conformance/run.py

# Each part is a process of its own: a fault of the driver or of Java ends one of them, and is seen.
# pytest ends with 5 where nothing is left to run, as without the driver, and has said why.
OR_NONE := || test $$? = 5
ORACLE_PARTS := oracle-grammar oracle-h2 oracle-driver oracle-service
.PHONY: $(ORACLE_PARTS)

oracle-check: .venv/installed-dev
	bash tests/oracle/tools.sh $(abspath $(BIN)/python) || test -n "$(SKIP_MISSING)"
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target $(ORACLE_PARTS)

oracle-grammar:
	ORACLE_CHECK=1 $(BIN)/pytest tests/adql/test_oracle_sql.py tests/test_oracle_ddl.py
oracle-h2:
	$(BIN)/pytest tests/adql/test_oracle_rows.py
oracle-driver:
	$(BIN)/pytest tests/oracle_wire tests/test_db_oracle*.py $(OR_NONE)
oracle-service:
	$(BIN)/pytest tests/test_oracle*.py $(OR_NONE)

bench: .venv/installed-dev
	$(BIN)/python bench/service.py
	$(BIN)/python bench/stop.py
	$(BIN)/python bench/formats.py
	$(BIN)/python bench/jobs.py
	$(BIN)/python -m pip install --quiet 'queryparser-python3==0.8.0'
	$(BIN)/python bench/adql.py
	$(BIN)/python bench/images.py
	$(BIN)/python bench/watch.py
	$(BIN)/python bench/anomaly_score.py
	$(BIN)/python bench/faults.py

bench-anomaly-job: .venv/installed-dev
	$(BIN)/python bench/anomaly_job.py $(ANOMALY)

bench-cutouts: .venv/installed-dev
	$(BIN)/python bench/cutouts.py $(CUTOUTS)
	$(BIN)/python bench/cutouts_served.py $(CUTOUTS)

bench-footprint: .venv/installed-dev
	$(BIN)/python bench/footprint_maps.py $(FOOTPRINT)
	$(BIN)/python -m pip install --quiet 'shapely==2.1.2'
	$(BIN)/python bench/footprint_tiles.py $(TILES)

bench-sky: .venv/installed-dev
	@test -e /usr/share/postgresql/15/extension/pg_sphere.control || \
		apt-get install --yes --quiet postgresql-15 postgresql-15-q3c postgresql-15-pgsphere || \
		{ echo "As root: apt-get install postgresql-15 postgresql-15-q3c postgresql-15-pgsphere"; exit 1; }
	$(BIN)/python -m pip install --quiet 'psycopg[binary]==3.3.9'
	$(BIN)/python bench/sky.py $(SKY)

image: .venv/installed
	container/build.sh $(IMAGE)

rolling-restart: .venv/installed-dev
	$(BIN)/python bench/rolling.py

image-check: .venv/installed-dev
	$(BIN)/python container/check.py $(IMAGE)

bench-anomaly: .venv/installed-dev
	$(BIN)/python bench/anomaly.py $(FOREST)

bench-anomaly-quality: .venv/installed-dev
	$(BIN)/python bench/anomaly_quality.py $(FOREST)

clean:
	rm -rf .venv

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "On Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	$(BIN)/python -c 'from vo.worker import warm_up; warm_up()'
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	@touch $@
