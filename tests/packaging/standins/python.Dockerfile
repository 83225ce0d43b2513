# In the place of python: Debian's, with what this machine trusts, so that its package index is reached.
FROM noc-test-base
COPY machine/ /
RUN rm --force /usr/lib/python3.*/EXTERNALLY-MANAGED
