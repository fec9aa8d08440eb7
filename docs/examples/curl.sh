#!/usr/bin/env bash
# Adds the face in a picture under a name, and finds it again: bash curl.sh ada.jpg "Ada Lovelace". Needs curl 7.76 and jq.
set -euo pipefail

url=${FACE_SEARCH_URL:-http://localhost:8000}
reply=$(mktemp)
trap 'rm -f "$reply"' EXIT

# Print the reply of a request, or show the error and stop. Every request is safe to repeat. curl repeats it after the
# time in Retry-After, at a 429 or 503, and also at 408, 500, 502 and 504. Other users of the machine do not see the key.
call() {
  if curl --silent --show-error --fail-with-body --connect-timeout 5 --max-time 60 --retry 3 --retry-max-time 60 \
    --header @<(printf 'x-api-key: %s' "${FACE_SEARCH_KEY:-}") --output "$reply" "$@"; then
    cat "$reply"
  else
    jq --raw-output '"\(.error_code // "error"): \(.detail // .message)"' "$reply" >&2
    return 1
  fi
}

token=$(call "$url/detect" --form "image_file=@$1" | jq --raw-output '.faces[0].face_token // empty')
if [ -z "$token" ]; then
  echo "The picture shows no face." >&2
  exit 1
fi

call "$url/addface" --form-string "face_token=$token" --form-string "face_name=$2" | jq --raw-output '"Added \(.face_name)."'

call "$url/search" --form "image_file=@$1" --form threshold=0.65 --form group=name |
  jq --raw-output '.cmp_result[] | "Found \(.face_name)."'
