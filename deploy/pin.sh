#!/bin/sh
# Add to each image in these files the digest that its registry has for the tag. Needs Docker with buildx.
# A digest that is there already stays: Dependabot updates it together with the tag. Check the difference, then commit it.
set -eu
cd "$(dirname "$0")"

files="Dockerfile docker-compose.yml docker-compose.prod.yml k8s/41-media.yaml"
# Names with an exact version and without a digest. The shop's own image is built here and has none.
# shellcheck disable=SC2086
named=$(sed -nE 's/^(FROM|.*image:) (\$\{[A-Z]+_IMAGE:-)?([a-z0-9./-]+:v?[0-9][a-z0-9.-]*)(\}| .*)?$/\3/p' $files | sort -u)
for image in $named; do
  digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
  expr "$digest" : 'sha256:[0-9a-f]\{64\}$' > /dev/null || { echo "No digest for $image: $digest" >&2; exit 1; }
  # shellcheck disable=SC2086
  sed -i -E "s#(^FROM |image: |:-)$(echo "$image" | sed 's/\./\\./g')(\}| |\$)#\1$image@$digest\2#" $files
  echo "$image@$digest"
done
