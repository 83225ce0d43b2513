"""A wall clock that is wrong for some processes only: the machine's own is shared, and is left alone."""

from __future__ import annotations

import functools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

import pytest

# Monotonic time and what the kernel stamps packets with stay right, as when somebody sets a real machine's clock.
_SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static int (*real)(clockid_t, struct timespec *);
static volatile int64_t *offset_ns;

__attribute__((constructor)) static void begin(void) {
    real = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("WALLCLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *shared = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    offset_ns = shared == MAP_FAILED ? 0 : shared;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!real) begin();
    int failed = real(clock, at);
    if (!failed && offset_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = at->tv_sec * 1000000000LL + at->tv_nsec + *offset_ns;
        at->tv_sec = ns / 1000000000LL;
        at->tv_nsec = ns % 1000000000LL;
    }
    return failed;
}

time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out) *out = at.tv_sec;
    return at.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    out->tv_sec = at.tv_sec;
    out->tv_usec = at.tv_nsec / 1000;
    return 0;
}
"""


class WallClock:
    """A context manager. Whoever is started with its `environment` sees the wall clock as it is set here, at any moment."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "wallclock-offset"
        self._path.write_bytes(bytes(8))

    def __enter__(self) -> Self:
        file = os.open(self._path, os.O_RDWR)
        self._shared = mmap.mmap(file, 8)
        os.close(file)
        return self

    def __exit__(self, *_: object) -> None:
        self._shared.close()

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(_library()), "WALLCLOCK_OFFSET": str(self._path)}

    def set(self, offset_s: float) -> None:
        """So many seconds ahead of the right time; negative: behind."""
        self._shared[:] = struct.pack("q", round(offset_s * 1e9))


@functools.cache
def _library() -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler for a wall clock of its own")
    folder = Path(tempfile.mkdtemp(prefix="noc-wallclock-"))
    source, library = folder / "wallclock.c", folder / "wallclock.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library
