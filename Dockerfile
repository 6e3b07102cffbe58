# One image, one process: `miso serve`. What it may install is fixed by the lock and its hashes.
# Two volumes matter: /data (the SQLite file and the signing keys; back it up) and /config (policy.yml and catalog/).
FROM python:3.11-slim AS built
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv --without-pip /opt/miso
COPY .ci/requirements.lock ./
RUN python -m pip --python /opt/miso/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md app.yml ./
COPY docs/LICENSE docs/LICENSE
COPY config config
COPY handlers handlers
COPY bot bot
# Not from an index: what building needs is in the lock and installed already.
RUN python -m pip --python /opt/miso/bin/python install --no-deps --no-index --no-build-isolation . \
 && /opt/miso/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/miso/lib

FROM python:3.11-slim
RUN groupadd --system --gid 10001 miso \
 && useradd --system --uid 10001 --gid miso --no-create-home --shell /usr/sbin/nologin miso \
 && install -d -o miso -g miso -m 0700 /data
COPY --from=built /opt/miso /opt/miso
ENV PATH=/opt/miso/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MISO_DATA_DIR=/data \
    MISO_LISTEN=0.0.0.0:8080 \
    MISO_LOG_FORMAT=json
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["miso"]
CMD ["serve"]
