#!/usr/bin/env bash
# Trains an algorithm on an env with some seeds and writes benchmarks/results/<algo>_<env>.{csv,png}.
#     bash benchmarks/learn.sh td3 HalfCheetah-v5 75 "0 10 20" [flags of main.py]
# The arguments are algorithm, env, epochs (of 4000 steps, or what the flags say), seeds. Called again it goes on where
# it was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
algo=$1 env=$2 epochs=$3 seeds=$4
shift 4
python=${PYTHON:-.venv/bin/python}
name=${algo}_${env}
for seed in $seeds; do
    run=data/$name/${name}_s$seed
    if [ ! -e "$run/config.json" ]; then
        "$python" main.py --algo "$algo" --env "$env" --exp_name "$name" -s "$seed" --epochs "$epochs" "$@"
    elif [ "$(tail -n 1 "$run/progress.txt" | cut -f 1)" != "$epochs" ]; then
        "$python" main.py resume "$run"
    fi
done
"$python" benchmarks/collect.py "data/$name" "benchmarks/results/$name.csv"
"$python" benchmarks/redraw.py "$name"
