# Broker and bridge in one container, by `postbell serve`; compose.yaml runs it. See docs/install.md, "A container".
FROM debian:trixie-slim AS made
SHELL ["/bin/sh", "-euxc"]
# The versions are those of Debian's stable release; what Postbell runs on is pinned in requirements.lock.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock requirements-build.lock /source/
RUN python3 -m venv /opt/builder \
    && /opt/builder/bin/python -m pip install --quiet --no-cache-dir --require-hashes --requirement /source/requirements-build.lock \
    && python3 -m venv --without-pip /opt/postbell \
    && /opt/builder/bin/python -m pip --python /opt/postbell/bin/python install --quiet --no-cache-dir --require-hashes \
        --requirement /source/requirements.lock
COPY pyproject.toml README.md LICENSE /source/
COPY bridge /source/bridge
COPY broker /source/broker
COPY clients /source/clients
COPY packaging /source/packaging
WORKDIR /source
RUN /opt/builder/bin/python -m hatchling build -t wheel -d /opt/wheel \
    && /opt/builder/bin/python -m pip --python /opt/postbell/bin/python install --quiet --no-cache-dir --no-deps /opt/wheel/*.whl \
    && /opt/postbell/bin/python -m compileall -q /opt/postbell/lib

FROM debian:trixie-slim
SHELL ["/bin/sh", "-euxc"]
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 2525 postbell \
    && useradd --system --uid 2525 --gid postbell --home-dir /var/lib/postbell --shell /usr/sbin/nologin postbell \
    && install -d -o postbell -g postbell -m 700 /var/lib/postbell \
    && install -d -m 755 /etc/postbell /run/postbell
COPY --from=made /opt/postbell /opt/postbell
ENV PATH=/opt/postbell/bin:/usr/bin:/bin \
    POSTBELL_STATE_DIR=/var/lib/postbell \
    POSTBELL_SMTP__LISTEN=0.0.0.0:2525 \
    PYTHONDONTWRITEBYTECODE=1
USER 2525:2525
VOLUME /var/lib/postbell
EXPOSE 2525 1883 8883 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=2s CMD ["postbell", "status"]
ENTRYPOINT ["postbell"]
CMD ["serve"]
