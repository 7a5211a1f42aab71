#!/usr/bin/env bash
# What `make oracle-check` needs beside Python: Java with H2, Node.js with the grammar of PL/SQL, the driver.
# Installs what is missing and can be had, says of the rest why not, and fails if anything is missing.
cd "$(dirname "$0")" || exit 1
python=${1:?the Python of the checkout}
missing=0

lacks() {
    echo "oracle-check: $1 cannot be had: $2. Tests that need it are SKIPPED." >&2
    missing=1
}

java_and_h2() {
    command -v java >/dev/null && [ -e /usr/share/java/h2.jar ] && return
    command -v apt-get >/dev/null || { echo "neither installed nor is there apt-get"; return 1; }
    [ "$(id -u)" = 0 ] || { echo "as root: apt-get install default-jre-headless libh2-java"; return 1; }
    { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends \
        default-jre-headless libh2-java; } >apt.log 2>&1 || { tail -n 1 apt.log; return 1; }
}

grammar() {
    [ -d node_modules/@griffithswaite/ts-plsql-parser ] && command -v node >/dev/null && return
    if ! command -v npm >/dev/null; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "as root: apt-get install npm"; return 1; }
        { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends nodejs npm; } \
            >apt.log 2>&1 || { tail -n 1 apt.log; return 1; }
    fi
    npm install --silent --no-audit --no-fund >npm.log 2>&1 || { tail -n 1 npm.log; return 1; }
}

driver() {
    "$python" -m pip install --quiet --constraint ../../constraints.txt --group ../../pyproject.toml:oracle-check \
        >pip.log 2>&1 || { tail -n 1 pip.log; return 1; }
}

reason=$(java_and_h2) || lacks "Java with H2" "$reason"
reason=$(grammar) || lacks "Node.js with the grammar of PL/SQL" "$reason"
reason=$(driver) || lacks "python-oracledb with jpype1" "$reason"
exit $missing
