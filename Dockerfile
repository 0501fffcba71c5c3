# An image of the lean runtime, without TensorFlow and without a display: docs/docker.md.
#
#   docker build -t edge-emotion .
#   docker build -t edge-emotion-app --build-arg EXTRAS=headless,app .
#   docker buildx build --platform linux/amd64,linux/arm64 -t NAME --push .

# Every platform has an image of this name. For builds that never change, add the digest that `docker buildx imagetools
# inspect python:3.13-slim-trixie` shows: --build-arg BASE=python:3.13-slim-trixie@sha256:...
ARG BASE=python:3.13-slim-trixie

# hadolint ignore=DL3006
FROM ${BASE} AS build
ARG EXTRAS=headless,mqtt,record,serve
WORKDIR /source
COPY . .
# hadolint ignore=DL3013
RUN python -m venv --without-pip /opt/edge-emotion \
    && pip --python /opt/edge-emotion/bin/python install --no-cache-dir --disable-pip-version-check ".[${EXTRAS}]"

# hadolint ignore=DL3006
FROM ${BASE}
COPY --from=build /opt/edge-emotion /opt/edge-emotion
# A user without rights. Cameras belong to the group video, which `docker run --group-add` adds.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin edge
ENV PATH=/opt/edge-emotion/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /data
EXPOSE 8000 7860
# Healthy where nothing is served, too: then the end of the process tells.
HEALTHCHECK --start-period=60s --interval=30s --timeout=10s CMD ["python", "-m", "edge.web.health"]
ENTRYPOINT ["edge-emotion"]
CMD ["--help"]
