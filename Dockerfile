# horae in a container; by itself it runs the demo and leaves the report in /work/runs.
#
#   docker build -t horae .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/runs:/work/runs" horae
#   docker run --rm horae horae doctor
#
# With NVIDIA's libraries; TORCH_INDEX has to hold the torch of constraints.txt, built for the same CUDA:
#   docker build -t horae:cuda --build-arg BASE=nvidia/cuda:TAG-runtime-ubuntu24.04 \
#                --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cuNNN .
# With more than one worker, or the data plane shm: docker run --shm-size 1g
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# gcc and libc6-dev: horae compiles its kernels for the processor that it runs on. A CUDA base has no Python.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev $(command -v python3 >/dev/null || echo python3 python3-venv) \
 && rm -rf /var/lib/apt/lists/*

# torch first, from the index of the kind of build that is wanted: what comes after is content with it.
COPY constraints.txt /src/
RUN python3 -m venv /opt/horae \
 && /opt/horae/bin/pip install --no-cache-dir --constraint /src/constraints.txt --index-url "${TORCH_INDEX}" torch
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
COPY experiments /src/experiments
RUN /opt/horae/bin/pip install --no-cache-dir --constraint /src/constraints.txt /src \
 && rm -rf /src

# Compiled kernels and matplotlib's cache go to a place that any user may write to.
ENV PATH=/opt/horae/bin:$PATH HOME=/tmp XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/matplotlib PYTHONUTF8=1
RUN useradd --no-create-home horae && mkdir -p /work/runs && chown -R horae /work
USER horae
WORKDIR /work
CMD ["horae", "run"]
