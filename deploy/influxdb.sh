#!/bin/sh
# Gives InfluxDB a user who may read the bucket and do nothing else: the web service's and Grafana's. Run by the image when
# it has set itself up on an empty volume; on one that is older, once by hand:
#
#   docker compose exec influxdb sh /docker-entrypoint-initdb.d/noc.sh
#
# It is a user of InfluxQL, because the password of one can be chosen; a token cannot.
set -eu
bucket=$(influx bucket list --name "$DOCKER_INFLUXDB_INIT_BUCKET" --hide-headers | cut -f 1)
if influx v1 auth list --hide-headers | tr -s '\t ' '\n' | grep -qx noc-reader; then
    echo 'noc.sh: the user noc-reader is there already'
    exit 0
fi
# Only processes of this container, which have the files themselves, see the password among its words.
influx v1 auth create --username noc-reader --password "$(cat /run/secrets/influxdb_read_password)" --read-bucket "$bucket" > /dev/null
