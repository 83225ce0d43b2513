"""A Docker engine of a test's own, with images that stand in for those that cannot be pulled here.

Images are built in the machine's network, which has the package index; containers run in the test's, which has
nothing but them. Data root, socket and all else of the engine are in one folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import pytest
import yaml

from tests.packaging.repository import ROOT, SERVICES, project
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

Outside = Callable[..., subprocess.CompletedProcess[str]]
STANDINS: Final = Path(__file__).parent / "standins"
PROGRAMS: Final = ("dockerd", "docker", "docker-compose", "debootstrap")
PACKAGES: Final = (
    "ca-certificates", "haproxy", "influxdb", "mosquitto", "mosquitto-clients", "python-is-python3", "python3",
    "python3-pip", "python3-venv", "wget",
)  # fmt: skip
_START_S: Final = 30.0
_BUILD_S: Final = 1500
# What this machine needs to reach its package index.
_MACHINE: Final = ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf")
_REFUSES: Final = re.compile(r"cgroup|overlay|operation not permitted", re.IGNORECASE)


class Engine:
    """A context manager. `images`: by the service's name in docker-compose.yml, what its image is called."""

    def __init__(self, images: Mapping[str, str], outside: Outside) -> None:
        if missing := [name for name in PROGRAMS if not shutil.which(name)]:
            pytest.skip(f"needs Docker: there is no {', '.join(missing)}")
        self.folder = Path(tempfile.mkdtemp(prefix="noc-engine-"))
        self._images = images
        self._outside = outside
        self._processes = Processes(self.folder / "logs")
        self._environment = {**os.environ, "DOCKER_HOST": f"unix://{self.folder}/docker.sock", "DOCKER_BUILDKIT": "0"}

    def __enter__(self) -> Self:
        try:
            self._build()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes.is_running("dockerd"):
            if found := self.docker("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", "--volumes", *found)
            self._processes.stop("dockerd")
        self._processes.__exit__()
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
            if (place := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def logs(self) -> dict[str, str]:
        return self._processes.logs

    def docker(self, *words: str) -> str:
        """Its output."""
        return self.run(["docker", *words])

    def run(self, command: list[str], cwd: Path | None = None, *, exit_code: int = 0) -> str:
        """What it prints to both outputs, where it ends with that code."""
        done = subprocess.run(
            command, env=self._environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == exit_code, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}"
        return done.stdout

    def _dockerd(self, *options: str) -> list[str]:
        places = {"data-root": "root", "exec-root": "exec", "pidfile": "pid"}
        words = [f"--{name}={self.folder / place}" for name, place in places.items()]
        return ["dockerd", *words, f"--host=unix://{self.folder}/docker.sock", *options]

    def _start(self) -> None:
        self._processes.start("dockerd", self._dockerd())
        wait_until(self._serves, _START_S, "a Docker engine", seen=lambda: self.logs)

    def _serves(self) -> bool:
        if not self._processes.is_running("dockerd") and _REFUSES.search(log := self.logs["dockerd"]):
            pytest.skip(f"needs Docker, and this kernel refuses an engine: {log.splitlines()[-1]}")
        done = subprocess.run(["docker", "info"], env=self._environment, capture_output=True, check=False)
        return done.returncode == 0

    def _build(self) -> None:
        """All images, by an engine in the machine's network that ends with it."""
        context = self.folder / "context"
        machine = context / "machine"
        shutil.copytree(STANDINS, context, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "tests" / "history" / "influx_engine.py", context)
        for name in _MACHINE:
            if (Path("/") / name).exists():
                (machine / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path("/") / name, machine / name)
        machine.mkdir(exist_ok=True)
        build = "docker build --quiet --network host"
        lines = [
            "set -eu",
            f"export DOCKER_HOST={self._environment['DOCKER_HOST']} DOCKER_BUILDKIT=0",
            # It touches nothing of the machine's network.
            f"{' '.join(self._dockerd('--bridge=none', '--iptables=false'))} > {self.folder}/build.log 2>&1 &",
            "trap 'kill $!; wait' EXIT",
            f"debootstrap --variant=minbase --include={','.join(PACKAGES)} bookworm {self.folder}/base",
            "docker info > /dev/null",
            f"tar --directory {self.folder}/base --create . | docker import - noc-test-base",
            f"rm --recursive --force {self.folder}/base",
            *(
                f"{build} --tag {image} --file {context}/{image.rpartition('/')[2].partition(':')[0].removeprefix('eclipse-')}.Dockerfile {context}"
                for image in self._images.values()
            ),
            *(
                f"{build} --build-arg SERVICE={service} --tag noc-{service}:{project(f'services/{service}')['version']} {ROOT}"
                for service in SERVICES
            ),
        ]
        done = self._outside(["sh", "-c", "\n".join(lines)], cwd=ROOT, timeout_s=_BUILD_S)
        log = (self.folder / "build.log").read_text(encoding="utf-8")
        if done.returncode and "failed to start daemon" in log and _REFUSES.search(log.splitlines()[-1]):
            pytest.skip(f"needs Docker, and this kernel refuses an engine: {log.splitlines()[-1]}")
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}\n{log[-2000:]}"


class Project:
    """A Compose file of the repository, with its folder, as a user has it. Debian's Compose is of version 1.29, which
    does not know three words of the file: those are put otherwise, and nothing else."""

    def __init__(self, engine: Engine, file: str, folder: Path, secrets: Mapping[str, str] | None = None) -> None:
        """`secrets`: those that the file takes from the environment."""
        self.engine = engine
        self.folder = folder
        whole: dict[str, Any] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
        self.name = whole.pop("name")
        for service in whole["services"].values():
            # The images are there, built in another network.
            service.pop("build", None)
            for mount in service.get("volumes", []):
                if mount.pop("bind", None):
                    (folder / mount["source"]).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / mount["source"], folder / mount["source"])
        for name, secret in whole.get("secrets", {}).items():
            if "environment" in secret:
                (folder / name).write_text((secrets or {})[secret.pop("environment")], encoding="utf-8")
                (folder / name).chmod(0o444)
                secret["file"] = f"./{name}"
        (folder / "docker-compose.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")

    def compose(self, *words: str, exit_code: int = 0) -> str:
        """What `docker compose` prints."""
        return self.engine.run(
            ["docker-compose", "--project-name", self.name, *words], self.folder, exit_code=exit_code
        )

    def execute(self, service: str, *words: str, exit_code: int = 0) -> str:
        """What a command in a service's container prints."""
        return self.compose("exec", "-T", service, *words, exit_code=exit_code)

    def container(self, service: str) -> str:
        return self.compose("ps", "--quiet", service).strip()

    def health(self) -> dict[str, str]:
        """By service, what the engine says of its health, or that it does not run."""
        found = {}
        for service in self.compose("ps", "--all", "--services").split():
            if container := self.container(service):
                state = "{{if .State.Running}}{{.State.Health.Status}}{{else}}stopped{{end}}"
                found[service] = self.engine.docker("inspect", "--format", state, container).strip()
        return found
