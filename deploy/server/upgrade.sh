#!/bin/sh
# Install the checkout that this script lies in as a new release and move the shop onto it, without a gap:
#   sudo deploy/server/upgrade.sh
# The first installation is the same command. A step that fails leaves the running release as it is.
set -eu
umask 022  # the shop's user reads what root installs

root=${SHOP_ROOT:-/srv/shop}
environment=${SHOP_ENV:-/etc/shop/shop.env}
user=${SHOP_USER:-shop}
python=${PYTHON:-python3.13}
source=$(cd "$(dirname "$0")/../.." && pwd)
release=$root/releases/$(date -u +%Y%m%dT%H%M%SZ)

say() { printf '== %s\n' "$*"; }

# A command of the new release, as the shop's user. Its settings come from .env, a link to $environment.
manage() {
  (cd "$release/example_project" && runuser -u "$user" -- env STATIC_ROOT="$release/static" "$release/venv/bin/python" manage.py "$@")
}

say "Release $release"
mkdir -p "$release/wheels"
"$python" -m venv "$release/build"
"$python" -m venv "$release/venv"
"$release/build/bin/pip" install --quiet --require-hashes --no-deps -r "$source/deploy/requirements-build.txt"
"$release/venv/bin/pip" install --quiet --require-hashes --no-deps --only-binary=:all: -r "$source/deploy/requirements.txt"
for package in "$source"/packages/django-shop-*; do
  (cd "$package" && "$release/build/bin/python" -m hatchling build --target wheel --directory "$release/wheels")
done
"$release/venv/bin/pip" install --quiet --no-index --no-deps "$release"/wheels/*.whl
rm -rf "$release/build" "$release/wheels"
cp -R "$source/example_project" "$release/example_project"
rm -rf "$release/example_project/var" "$release/example_project/tests" "$release/example_project/.env"
ln -s "$environment" "$release/example_project/.env"
install -d -o "$user" "$release/static"

say "Checks, static files"
manage check --deploy --fail-level ERROR
manage collectstatic --no-input --verbosity 0
chown -R root:root "$release/static"

if [ -e "$root/current" ]; then
  say "Backup before the migrations"
  manage backup "${SHOP_BACKUPS:-/var/lib/shop/backups}"
fi
say "Migrations, schedules"
manage migrate --no-input
manage schedule_jobs

say "Switch"
ln -sfn "$release" "$root/current.new"
mv -T "$root/current.new" "$root/current"
[ "${SHOP_RESTART:-yes}" = yes ] || exit 0
for port in 8001 8002; do
  systemctl restart "shop-web@$port"
  tries=0
  until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz?only=database,migrations"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { echo "shop-web@$port is not ready; see: journalctl -u shop-web@$port" >&2; exit 1; }
    sleep 1
  done
  say "shop-web@$port is ready"
done
systemctl restart shop-worker@1 shop-worker@2

say "Old releases: the last three stay"
find "$root/releases" -mindepth 1 -maxdepth 1 -type d | sort | head -n -3 | xargs -r rm -rf
