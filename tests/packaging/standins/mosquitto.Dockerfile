# In the place of eclipse-mosquitto: Debian's.
FROM noc-test-base
RUN install --directory --owner 1883 --group 1883 /mosquitto/config /mosquitto/data
