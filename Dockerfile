# One of the four services: docker build --build-arg SERVICE=prober .
# An image holds its service and what that needs, and none of the others.
FROM python:3.13.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Up to the service's name all four images are the same, so that they share what is fetched and built.
COPY requirements.lock ./
# Only files whose hash the lock names, and only wheels: nothing from outside runs before it has been compared.
RUN sed '/^# --- only for/,$d' requirements.lock > runtime.txt \
 && pip download --require-hashes --no-deps --only-binary :all: --dest wheels --requirement runtime.txt
RUN pip install --no-index --find-links wheels hatchling
COPY frame ./frame
COPY bus ./bus
COPY rules ./rules
COPY history ./history
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels ./frame ./bus ./rules ./history
ARG SERVICE
COPY services/$SERVICE ./services/$SERVICE
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels ./services/$SERVICE \
 && python -m venv --without-pip /opt/noc \
 && pip --python /opt/noc/bin/python install --no-index --find-links wheels noc-$SERVICE \
 && if [ -e /opt/noc/bin/noc-admin ]; then ln -s noc-admin /opt/noc/bin/noc; fi \
 && ln -s noc-$SERVICE /opt/noc/bin/noc-service

FROM python:3.13.14-slim-bookworm
RUN groupadd --gid 10001 noc \
 && useradd --uid 10001 --gid noc --no-create-home --shell /usr/sbin/nologin noc \
 && install --directory --owner noc --group noc --mode 0700 /data \
 && install --directory --owner noc --group noc --mode 0750 /broker
COPY --from=build /opt/noc /opt/noc
# The two of the web service are unknown to the others, which pass them over.
ENV PATH="/opt/noc/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 NOC_DATA=/data NOC_HTTP_HOST=0.0.0.0 NOC_HTTP_PORT=8080
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 CMD ["noc-service", "--health"]
ENTRYPOINT ["noc-service"]
