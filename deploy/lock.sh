#!/bin/sh
# Update requirements.txt and requirements-build.txt: every version that production installs, with hashes.
# Needs uv (`pip install uv`). Check the difference before you commit it.
set -eu
cd "$(dirname "$0")/.."

lock() {
  uv pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-strip-extras \
    --no-annotate --custom-compile-command deploy/lock.sh "$@"
}

lock --constraint tests/constraints.txt --output-file deploy/requirements.txt \
  --no-emit-package django-shop-core --no-emit-package django-shop-catalogue \
  --no-emit-package django-shop-orders --no-emit-package django-shop-notify \
  example_project/requirements.txt
echo "hatchling" | lock --constraint tests/constraints.txt --output-file deploy/requirements-build.txt -

# Index URLs belong to the machine that installs, not to this list.
! grep -nE '://|^-' deploy/requirements.txt deploy/requirements-build.txt
