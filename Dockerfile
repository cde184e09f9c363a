# One image for webhook, web, worker and the set-up commands. docs/container.md describes how to build and run it.
# Both arguments accept a digest: --build-arg BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm@sha256:...
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm
# The same Python at the same path, with its venv module. The final image contains only the files copied from it.
ARG BUILD_IMAGE=${BASE_IMAGE}

FROM ${BUILD_IMAGE} AS packages
COPY requirements/run.txt /requirements.txt
# Install only wheels, so that nothing is compiled on any architecture. The secret is a pip.conf for your own index.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --disable-pip-version-check --no-cache-dir --no-compile --only-binary=:all: \
        --require-hashes --requirement /requirements.txt \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet pip setuptools
# Remove files that no process loads: tests, translations (the pages are English), descriptions of other AWS services,
# stubs, lists of installed files, older interfaces, a second copy of the time zones, and lexers of languages that do not
# appear in logs. Compress botocore's list of endpoints, which botocore can read compressed.
RUN cd /opt/venv/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && find . -path '*/locale/*' ! -path '*/locale/en/*' -name '*.[mp]o' -delete \
    && find django/conf/locale -mindepth 1 -maxdepth 1 -type d ! -name 'en*' -exec rm -r {} + \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name ecr ! -name ecr-public ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} + \
    && find pygments/lexers -name '[a-z]*.py' ! -name python.py ! -name special.py ! -name text.py -delete \
    && find pygments/lexers -name '_*_builtins.py' -delete \
    && find . -type f '(' -name '*.pyi' -o -name '*.proto' -o -name '*.h' -o -path '*.dist-info/RECORD' ')' -delete \
    && rm -r boto3/data boto3/examples django/contrib/gis google/cloud/artifactregistry_v1beta2 pydantic/v1 \
        dateutil/zoneinfo/*.tar.gz \
    && gzip -9 botocore/data/endpoints.json \
    && find . -type d -empty -delete

FROM packages AS application
WORKDIR /app
COPY . .
# Static files are served compressed from one directory, so their originals are not needed.
RUN mkdir staticfiles \
    && SWAPPER_DATA_DIR=/tmp /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
        --ignore '*.map' --ignore redoc --ignore rest_framework --ignore jquery.js --ignore xregexp.js \
    && /opt/venv/bin/python -m whitenoise.compress --quiet staticfiles \
    && find /opt/venv -type d -path '*/site-packages/*' -name static -prune -exec rm -r {} +
# Keep only those classes of Kubernetes objects that a module loads.
# Bytecode is not validated by timestamps: image builds can change them, and the root file system is read-only.
RUN find /app /opt/venv -name __pycache__ -prune -exec rm -r {} + \
    && SWAPPER_DATA_DIR=/tmp /opt/venv/bin/python -B deploy/image/imported_files.py > /tmp/files \
    && find /opt/venv/lib/python3*/site-packages/lightkube/models /opt/venv/lib/python3*/site-packages/lightkube/resources \
        -name '*.py' | grep -vxFf /tmp/files | xargs rm \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -i /tmp/files manage.py \
    && rm -r requirements deploy \
    && mkdir --mode=0770 /data

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="k8s-image-swapper" \
      org.opencontainers.image.description="Mirrors the images of Kubernetes pods into your own registry and swaps the references" \
      org.opencontainers.image.source="https://github.com/k8s-image-swapper/k8s-image-swapper" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    HOME=/tmp \
    SWAPPER_DATA_DIR=/data
WORKDIR /app
COPY --from=application /opt/venv /opt/venv
COPY --from=application /app /app
# Any user with group 0 can run the image, because group 0 owns the writable directories.
COPY --from=application --chown=65532:0 /data /data
# The only writable paths: /data (database, keys and certificate of a single machine) and /tmp (unfinished downloads).
VOLUME ["/data", "/tmp"]
USER 65532:0
EXPOSE 8443 8000 8001
ENTRYPOINT ["python", "/app/manage.py"]
CMD ["help"]
