#!/usr/bin/env bash
# Makes every figure of docs/results/samples.md again: three seeds of the default localizer on `paste` (held-out
# photos, sounds and backgrounds) and on `stamps` (another source altogether), beside the controls and floors.
#   bash docs/results/samples.sh SOURCE OUT     SOURCE: paste's material, see docs/samples/paste.md
set -euo pipefail
source=$1 out=$2
mkdir -p "$out"
[ -d "$out/paste" ] || soundspot samples paste --from "$source" --root "$out/paste"
[ -d "$out/stamps" ] || soundspot samples stamps --root "$out/stamps"
for seed in 0 1 2; do
  run=$out/seed$seed
  [ -f "$run/weights.safetensors" ] || soundspot train spot --root "$out/paste" --out "$run" --set seed=$seed
  [ -f "$run/spot.safetensors" ] || soundspot calibrate "$run/weights.safetensors" "$out/paste" --out "$run/spot.safetensors"
done
for set in paste stamps; do
  python "$(dirname "$0")/samples.py" "$out/$set" "$out/$set.jsonl" "$out"/seed[012]/spot.safetensors
done
