# docker build -t rl --build-arg COMMIT="$(git rev-parse HEAD)" .      for a CPU
# and with --build-arg EXTRA="tensorflow[and-cuda]==2.21.0"             for an NVIDIA GPU
# docker run --rm -v "$PWD/data:/app/data" rl --algo ddpg --env HalfCheetah -s 0    (add --gpus all for the GPU)
FROM python:3.11-slim

# EGL draws MuJoCo videos without a screen.
RUN apt-get update && apt-get install -y --no-install-recommends libegl1 libgl1 libgles2 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.lock .
ARG EXTRA=""
RUN pip install --no-cache-dir -r requirements.lock ${EXTRA}
COPY . .
# The repository stays outside; runs write down the commit all the same.
ARG COMMIT=""
ENV RL_GIT_COMMIT=${COMMIT}
ENTRYPOINT ["python", "main.py"]
