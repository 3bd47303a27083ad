#!/bin/sh
# Builds the image with what is here: `make image` calls it. build.sh TAG BASE [OPTION...]; BASE may be empty: the
# Dockerfile's own. Further options go to the builder, such as a mount for pip's configuration.
set -eu

tag=$1 base=$2
shift 2
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' broker/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# Of the commit, so that two builds of it are the same.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
set -- --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
    ${base:+--build-arg "BASE=$base"} --tag "$tag" "$@"

# A client of docker without its daemon is of no use. Docker's format: that of OCI knows no health check.
if docker info >/dev/null 2>&1; then
    docker build "$@" .
elif command -v podman >/dev/null; then
    podman build --format docker --layers --timestamp "$SOURCE_DATE_EPOCH" "$@" .
elif command -v buildah >/dev/null; then
    buildah bud --format docker --layers --timestamp "$SOURCE_DATE_EPOCH" "$@" .
else
    echo "image: none of docker (with its daemon), podman and buildah is here; on Debian: apt install buildah" >&2
    exit 1
fi
echo "image: $tag"
