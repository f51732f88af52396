"""A SLURM cluster inside one machine, for tests and for trying things out.

    with Lab(folder) as lab:
        lab.call("sbatch", "job.sh")

Real munged, slurmctld and one slurmd per node, as children of this process; no root, systemd or
container is needed, and nothing is written outside `folder`. Each node has its own namespaces, so
its jobs see its name, and all names resolve. Partitions: `main`, whose jobs get a grace period when
they are preempted; `abrupt`, where they get none; `high`, which preempts both.

By hand: `python slurm/lab.py`, then paste the line that it prints into another shell.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lab_config
import ports

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "unshare", "setpriv")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

SWEEP = "python -m imagen_lit.train -m +sweep=demo hydra/launcher=slurm"
SWEEP += " hydra.launcher.partition=main"

# A node's own hosts file and host name. setpriv ends it when this process ends, however it ends.
NODE = 'mount --bind "$1" /etc/hosts && { [ -z "$2" ] || hostname "$2"; } && shift 2 && exec "$@"'


def missing_commands() -> list[str]:
    """The commands that the lab needs and this machine does not have."""
    return [name for name in COMMANDS if shutil.which(name, path=PATH) is None]


class Lab:
    """`grace`: seconds. `user_signal`: a preempted job receives its own --signal as well."""

    def __init__(
        self,
        folder: Path | str,
        nodes: int = 2,
        cpus: int = 2,
        gpus: int = 0,
        grace: int = 10,
        user_signal: bool = False,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.cpus, self.gpus, self.grace, self.user_signal = cpus, gpus, grace, user_signal
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._reservation: socket.socket | None = None  # of the ports, while this lab lives
        self._namespaces: dict[str, set[str]] = {}  # node -> its mount namespaces, of all starts

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a SLURM command, or of a program that uses one."""
        prefixes = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
        return inherited | {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": PATH}

    def call(
        self,
        *words: str,
        check: bool = True,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> str:
        """Run a command against this cluster; return its standard output."""
        done = subprocess.run(
            words,
            env=self.environment if env is None else env,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self) -> "Lab":
        """Start all daemons, and wait until every node is idle."""
        if missing := missing_commands():
            raise RuntimeError(
                f"this machine lacks {', '.join(missing)}. "
                "Type apt-get install slurmctld slurmd slurm-client munge"
            )
        self._write_files()
        run = self.folder / "run"
        try:
            self._spawn(
                "munged", "munged", "--foreground", "--force",
                f"--key-file={self.folder}/munge.key", f"--socket={run}/munge.sock",
                f"--pid-file={run}/munged.pid", f"--log-file={self.folder}/log/munged.log",
                f"--seed-file={run}/munged.seed",
            )  # fmt: skip
            self._wait_for("munged", lambda: (run / "munge.sock").exists())
            # In a namespace too: a slurmctld that cannot resolve a host stalls for seconds.
            conf = str(self.folder / "slurm.conf")
            self._spawn("slurmctld", *self._enter_node(""), "slurmctld", "-D", "-f", conf)
            self._wait_for(
                "slurmctld", lambda: "is UP" in self.call("scontrol", "ping", check=False)
            )
            for node in self.nodes:
                self.start_node(node)
        except BaseException:
            self.stop()
            raise
        return self

    def start_node(self, node: str) -> None:
        """Start a node's slurmd, and wait until SLURM calls the node idle."""
        conf = str(self.folder / "slurm.conf")
        self._spawn(node, *self._enter_node(node), "slurmd", "-D", "-f", conf, "-N", node)
        self._wait_for(node, lambda: self.node_states()[node] == "idle")
        namespace = os.readlink(f"/proc/{self._daemons[node].pid}/ns/mnt")
        self._namespaces.setdefault(node, set()).add(namespace)

    def lose_node(self, node: str) -> None:
        """Kill a node's slurmd outright: SLURM considers the node dead, but its jobs live on."""
        self._daemons[node].kill()
        self._daemons.pop(node).wait()

    def crashed_daemons(self) -> list[str]:
        """The daemons that have ended on their own."""
        return [name for name, daemon in self._daemons.items() if daemon.poll() is not None]

    def node_states(self) -> dict[str, str]:
        """Node -> its state in SLURM's words."""
        table = self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T", check=False)
        states = dict(line.split() for line in table.splitlines())
        return {node: states.get(node, "unknown") for node in self.nodes}

    def stop(self) -> None:
        """End all jobs, all daemons, and whatever has outlived its node."""
        self._cancel_jobs()
        last = ["slurmctld", "munged"]
        for name in [*(name for name in self._daemons if name not in last), *last]:
            daemon = self._daemons.pop(name, None)
            if daemon is None:
                continue
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in self.processes():  # of lost nodes: by design their jobs outlive them
            os.kill(process, signal.SIGKILL)
        if self._reservation is not None:
            self._reservation.close()

    def processes(self, node: str | None = None) -> list[int]:
        """The processes in a node's namespaces, or in those of all nodes."""
        nodes = self._namespaces if node is None else [node]
        namespaces = set().union(*(self._namespaces[name] for name in nodes))
        processes = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns/mnt") in namespaces:
                    processes.append(int(process.name))
            except OSError:  # it has ended in the meantime, or belongs to another user
                continue
        return processes

    def __enter__(self) -> "Lab":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _write_files(self) -> None:
        for name in ("state", "log", "run", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        lab_config.write_munge_key(self.folder)
        lab_config.write_hosts(self.folder, self.nodes)
        self._reservation, numbers = ports.reserve(1 + len(self.nodes))
        lab_config.write_slurm_conf(
            self.folder,
            self.nodes,
            numbers,
            cpus=self.cpus,
            gpus=self.gpus,
            grace=self.grace,
            user_signal=self.user_signal,
        )

    def _enter_node(self, node: str) -> list[str]:
        """The words to put before a command to run it in a node's namespaces."""
        words = ["unshare", "--mount", "--uts", "--propagation", "private"]
        if os.getuid():
            words += ["--user", "--map-current-user", "--keep-caps"]
        return [*words, "sh", "-c", NODE, "node", str(self.folder / "hosts"), node]

    def _spawn(self, name: str, *words: str) -> None:
        with open(self.folder / "log" / f"{name}.out", "ab") as out:
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )

    def _cancel_jobs(self) -> None:
        controller = self._daemons.get("slurmctld")
        if controller is None or controller.poll() is not None:
            return
        jobs = set(self.call("squeue", "-h", "-o", "%A", check=False).split())
        if jobs:
            self.call("scancel", "--signal=KILL", "--full", *jobs, check=False)
            self.call("scancel", *jobs, check=False)
            _poll(lambda: not self.call("squeue", "-h", check=False), 10)

    def _wait_for(self, daemon: str, is_ready: Callable[[], bool]) -> None:
        if not _poll(is_ready, 30):
            outputs = [file.read_text()[-1000:] for file in (self.folder / "log").glob("*.out")]
            raise RuntimeError(f"{daemon} did not start within 30 s: {' '.join(outputs).strip()}")


def _poll(is_ready: Callable[[], bool], seconds: float) -> bool:
    """Whether it became ready in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_ready():
            return True
        time.sleep(0.03)
    return False


def main() -> None:
    """Run a lab until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A SLURM cluster inside this machine.")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=2, help="per node; the machine may have fewer")
    parser.add_argument("--gpus", type=int, default=0, help="per node; only their names are real")
    parser.add_argument("--grace", type=int, default=10, help="seconds, in the partition main")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="slurm_lab_") as folder:
        with Lab(folder, args.nodes, args.cpus, args.gpus, args.grace) as lab:
            print(f"export SLURM_CONF={lab.folder}/slurm.conf")
            print("# the lab runs until Ctrl-C. Paste the line above into another shell; then")
            print(f"# {SWEEP}", flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("stopping the lab")


if __name__ == "__main__":
    main()
