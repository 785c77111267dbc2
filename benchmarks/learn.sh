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
    status=$("$python" -c "import rl, sys; print(rl.RunDir(sys.argv[1]).status)" "$run")
    case $status in
        new) "$python" main.py --algo "$algo" --env "$env" --exp_name "$name" -s "$seed" --epochs "$epochs" "$@" ;;
        unfinished) "$python" main.py resume "$run" ;;
    esac
done
"$python" benchmarks/collect.py "data/$name" "benchmarks/results/$name.csv"
"$python" benchmarks/redraw.py "$name"
