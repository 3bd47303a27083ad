# The broker as an image: its interpreter, what that loads, its packages, a CA list, and nothing else. No shell, no pip.
# `make image` builds it with docker, podman or buildah; docs/pods.md says what is in it and why.
#
# The base is taken apart: only what the broker needs of it goes on. Any Debian with Python 3.11 or newer and python3-venv
# will do, given by --build-arg BASE=...; change tag and digest of this one together.
ARG BASE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
FROM ${BASE} AS base

FROM base AS build
# Of all files in the image, so that two builds of one commit do not differ; seconds since the epoch.
ARG SOURCE_DATE_EPOCH=0
WORKDIR /build

COPY requirements/build.lock requirements/
RUN python3 -m venv /tools \
    && /tools/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.lock

# As on a VM: the same script, the same lock file, the same folder.
COPY requirements/runtime.lock requirements/
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY deploy/package deploy/package/
COPY systemd systemd/
COPY docs docs/
COPY broker broker/
RUN PIP="/tools/bin/pip --no-cache-dir" PYTHON="$(readlink -f "$(command -v python3)")" DESTDIR=/installed \
    sh deploy/package/install.sh /opt/kakaocloud-broker /usr/lib /usr/bin

# From the base itself: over that of this stage a host that has CAs of its own may have mounted them.
COPY --from=base /etc/ssl/certs/ca-certificates.crt certificates.crt
COPY deploy/image deploy/image/
RUN python3 deploy/image/layers.py /installed certificates.crt /layers

FROM scratch
# From what changes least to what changes most.
COPY --from=build /layers/system /
COPY --from=build /layers/packages /
COPY --from=build /layers/broker /

# A cache in a folder of its own, for a volume often belongs to root.
ENV PATH=/opt/kakaocloud-broker/bin \
    STATE_DIRECTORY=/run/kakaocloud-broker-state/cache
# The only places that are written, both best in memory: the socket, and the sealed cache.
VOLUME ["/run/kakaocloud-broker", "/run/kakaocloud-broker-state"]
USER 65532:65532
ENTRYPOINT ["broker"]
CMD ["run"]
# For docker; Kubernetes has probes, see deploy/sidecar.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["broker", "wait", "--timeout", "0"]

ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kakaocloud-broker" \
      org.opencontainers.image.description="Keeps one good KakaoCloud API token per identity alive and serves it to local programs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
