# In the place of haproxy: Debian's.
FROM noc-test-base
