#!/usr/bin/env bash
# DDPG on HalfCheetah-v5, seeds 0, 10, 20, 300k steps: about 15 minutes on 2 cores.
# Writes benchmarks/results/ddpg_halfcheetah.{csv,png} and prints the mean over seeds.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
"$python" main.py --algo ddpg --env HalfCheetah-v5 --exp_name ddpg_HalfCheetah -s 0 10 20 --epochs 75 --overwrite
"$python" main.py plot data/ddpg_HalfCheetah -y Performance AverageEpRet -o benchmarks/results/ddpg_halfcheetah.png
"$python" benchmarks/collect.py data/ddpg_HalfCheetah benchmarks/results/ddpg_halfcheetah.csv
