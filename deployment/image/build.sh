#!/usr/bin/env bash
# Builds the job image from this clone: wheels are resolved here, from uv.lock, and copied in.
#
#   deployment/image/build.sh [BASE [TAG]]
#
# BASE  an image with Python 3.11 and CA certificates (default python:3.11-slim-bookworm); `sheaf-base` is made from
#       the tar that `make parts` leaves, when the engine has none yet
# TAG   default sheaf-job:latest
# Needs uv and docker. The last line it prints is the image's id (sha256:...).
set -euo pipefail

BASE=${1:-${BASE:-python:3.11-slim-bookworm}}
TAG=${2:-${TAG:-sheaf-job:latest}}
PYTHON=${PYTHON:-3.11}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$root/build/image
# Where make puts uv on a machine that has none.
PATH=$PATH:$root/.uv/bin
mkdir -p "$work"
cd "$root"

# One build at a time: two would fill the same folder.
exec 9>"$work/lock"
flock 9

# Dependencies are installed again only when the lock file's list of them changed.
uv export -q --frozen --no-dev --no-emit-project --no-annotate --no-header >"$work/requirements.txt"
sum=$(sha256sum <"$work/requirements.txt" | cut -c1-16)-$PYTHON
if [[ ! -f $work/dependencies/.made-$sum ]]; then
    rm -rf "$work/dependencies"
    uv pip install -q --target "$work/dependencies" --python-version "$PYTHON" --only-binary :all: --require-hashes \
        --link-mode copy --no-compile-bytecode -r "$work/requirements.txt"
    # What only a compiler or a test runner would read, and two of Arrow's parts that no job opens (50 MB).
    rm -rf "$work"/dependencies/bin "$work"/dependencies/pyarrow/{include,tests,src,includes}
    rm -f "$work"/dependencies/pyarrow/{lib,}{arrow,arrow_python,}_{flight,s3,s3fs}.*so*
    find "$work/dependencies" \( -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '__pycache__' \) -prune -exec rm -rf {} +
    touch "$work/dependencies/.made-$sum"
fi
rm -rf "$work/library"
mkdir -p "$work/library"
cp -r sheaf "$work/library/sheaf"
find "$work/library" -name __pycache__ -prune -exec rm -rf {} +
# Times and rights of the clone must not make another image of the same files.
find "$work/library" -exec touch -h -d @0 {} +
chmod -R u=rwX,go=rX "$work/library" "$work/dependencies"
cp -p deployment/image/Dockerfile deployment/image/sheaf "$work/"
printf 'requirements.txt\nlock\n' >"$work/.dockerignore"

# Debian's docker has no buildx: the classic builder then, which needs no network either.
if ! docker buildx version >/dev/null 2>&1; then
    export DOCKER_BUILDKIT=0
    # It knows no COPY --chmod; the file's own rights do.
    sed -i 's/COPY --chmod=0755 /COPY /' "$work/Dockerfile"
    chmod 0755 "$work/sheaf"
fi
if [[ $BASE == sheaf-base ]] && ! docker image inspect sheaf-base >/dev/null 2>&1; then
    docker import "${SHEAF_PARTS:-$HOME/.cache/sheaf/parts}/sheaf-base.tar" sheaf-base >/dev/null
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
docker build -q --network none --build-arg BASE="$BASE" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    -t "$TAG" "$work" >/dev/null
docker image inspect --format "$TAG: {{.Size}} bytes" "$TAG"
docker image inspect --format '{{.Id}}' "$TAG"
