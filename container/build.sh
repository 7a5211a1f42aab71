#!/usr/bin/env bash
# Usage: container/build.sh [IMAGE]   (make image)
#
# Builds the image with buildah, in a chroot: no daemon, no registry. The base is $BASE, or else a Debian that
# debootstrap makes once. Wheels are fetched outside, by the pip of this machine and its configuration, for the
# Python of .venv, which must be of the same version as that of the base. Needs root, buildah and debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-localhost/vo}
python=.venv/bin/python
export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}

for program in buildah debootstrap; do
    command -v "$program" > /dev/null || { echo "As root: apt-get install buildah debootstrap"; exit 1; }
done

if [ -z "${BASE:-}" ]; then
    BASE=localhost/vo-base
    if ! buildah inspect --type image "$BASE" > /dev/null 2>&1; then
        root=$(mktemp -d)
        trap 'rm -rf "$root"' EXIT
        debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root"
        rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}
        chmod 755 "$root"
        container=$(buildah from scratch)
        buildah add --quiet "$container" "$root" /
        buildah commit --quiet --rm "$container" "$BASE"
    fi
fi

wheels=$(mktemp -d)
trap 'rm -rf "$wheels" "${root:-}"' EXIT
# What the build needs, and what redis needs before Python 3.11.3, which the base may have.
"$python" -m pip download --quiet --constraint constraints.txt --dest "$wheels" \
    '.[oracle]' 'setuptools>=77' async-timeout
chmod -R a+rX "$wheels"
rm -f "$wheels"/vo-*  # built inside, from the same files

buildah build --quiet --layers=false --format docker \
    --build-arg BASE="$BASE" --build-arg CPU="${CPU:-}" \
    --build-arg PIP_ARGS="--no-index --find-links=/wheels" --volume "$wheels:/wheels:ro" \
    --tag "$image" --file Containerfile .
buildah images "$image"
