# In the place of influxdb: Debian's engine of version 1 behind a front with the routes of version 2.
FROM noc-test-base
COPY influx_engine.py serve.py /opt/standin/
COPY influx /usr/local/bin/influx
RUN chmod 0755 /usr/local/bin/influx && install --directory --owner 1000 --group 1000 /var/lib/influxdb2 /etc/influxdb2
CMD ["python3", "-u", "/opt/standin/serve.py"]
