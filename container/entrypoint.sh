#!/bin/sh
# Runs `vo`. The compiled loops of the image are put where Numba can write, for a processor of another kind
# than that of the image has them compiled anew, once a container.
set -eu
if [ ! -d "$NUMBA_CACHE_DIR" ]; then
    cp -R /opt/vo/numba "$NUMBA_CACHE_DIR.$$"
    mv "$NUMBA_CACHE_DIR.$$" "$NUMBA_CACHE_DIR"
fi
cpu=$(cat /opt/vo/numba/cpu)
if [ -n "$cpu" ]; then
    export NUMBA_CPU_NAME="$cpu"
fi
exec vo "$@"
