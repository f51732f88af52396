"""A SLURM cluster inside one machine, for tests and for trying things out.

    with Lab(folder) as lab:
        lab.call("sbatch", "job.sh")

Real munged, slurmctld and one slurmd for every node, as children of this process; no root, systemd
or container is needed, and nothing is written outside `folder`. Each node has namespaces of its
own, so its jobs see its name, and all names resolve. Partitions: `main`, whose jobs get a grace
when they have to give way; `abrupt`, where they get none; `high`, to which both give way.

By hand: `python slurm/lab.py`, then paste what it prints into another shell.
"""

import argparse
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ports

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "unshare", "setpriv")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
DEVICES = ("null", "zero", "full", "random")  # what a GPU can be made of: any character device

CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
# Ranks meet at a port that Lightning makes of the job's number: no two labs may count from 1.
FirstJobId={port}
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
MailProg=/bin/true
# The wait before a requeued job may start again is cred_expire; by default two minutes.
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/run/munge.sock,cred_expire=5
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
# A signal to a job reaches every process of it, loader workers too: the hard case.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{user_signal}JobRequeue=1
KillWait=3
SlurmdTimeout=10
SlurmctldTimeout=30
MessageTimeout=10
InactiveLimit=0
Waittime=0
ReturnToService=2
# Finished jobs stay visible to scontrol: slurm/sacct reads them there.
MinJobAge=86400
GresTypes=gpu
{nodes}
PartitionName=DEFAULT Nodes=ALL State=UP PreemptMode=REQUEUE
PartitionName=main Default=YES PriorityTier=1 GraceTime={grace}
PartitionName=abrupt PriorityTier=1 GraceTime=0
PartitionName=high PriorityTier=10 PreemptMode=OFF
"""

# A node: its own hosts file and name, and an end when this process ends, however that comes.
NODE = 'mount --bind "$1" /etc/hosts && { [ -z "$2" ] || hostname "$2"; } && shift 2 && exec "$@"'


def missing() -> list[str]:
    """The commands that the lab needs and this machine lacks."""
    return [name for name in COMMANDS if shutil.which(name, path=PATH) is None]


class Lab:
    """`grace`: seconds. `user_signal`: a job that gives way gets its own --signal as well."""

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
        self._held: socket.socket | None = None  # for as long as this lab lives
        self._spaces: dict[str, set[str]] = {}  # node -> its mount namespaces, of all its starts

    @property
    def environment(self) -> dict[str, str]:
        """What a SLURM command, or a program that uses one, has to see."""
        ours = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        conf, path = f"{self.folder}/slurm.conf", f"{self.folder}/bin:{PATH}"
        return kept | {"SLURM_CONF": conf, "PATH": path}

    def call(self, *words: Any, check: bool = True, **options: Any) -> str:
        """Run a command against this cluster; what it said."""
        done = subprocess.run(
            [str(word) for word in words],
            env=options.pop("env", self.environment),
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 60),
            **options,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self) -> "Lab":
        if lacks := missing():
            raise RuntimeError(
                f"this machine lacks {', '.join(lacks)}: "
                "apt-get install slurmctld slurmd slurm-client munge"
            )
        self._write()
        run = self.folder / "run"
        try:
            self._spawn(
                "munged", "munged", "--foreground", "--force",
                f"--key-file={self.folder}/munge.key", f"--socket={run}/munge.sock",
                f"--pid-file={run}/munged.pid", f"--log-file={self.folder}/log/munged.log",
                f"--seed-file={run}/munged.seed",
            )  # fmt: skip
            self._until("munged", lambda: (run / "munge.sock").exists())
            # In a namespace too: a slurmctld that cannot resolve a host stalls for seconds.
            conf = str(self.folder / "slurm.conf")
            self._spawn("slurmctld", *self._apart(""), "slurmctld", "-D", "-f", conf)
            self._until("slurmctld", lambda: "is UP" in self.call("scontrol", "ping", check=False))
            for node in self.nodes:
                self.start_node(node)
        except BaseException:
            self.stop()
            raise
        return self

    def start_node(self, node: str) -> None:
        conf = str(self.folder / "slurm.conf")
        self._spawn(node, *self._apart(node), "slurmd", "-D", "-f", conf, "-N", node)
        self._until(node, lambda: self.states()[node] == "idle")
        space = os.readlink(f"/proc/{self._daemons[node].pid}/ns/mnt")
        self._spaces.setdefault(node, set()).add(space)

    def lose_node(self, node: str) -> None:
        """Kill a node's slurmd outright: SLURM thinks the node dead, but its jobs live on."""
        self._daemons[node].kill()
        self._daemons.pop(node).wait()

    def fallen(self) -> list[str]:
        """The daemons that have ended by themselves."""
        return [name for name, daemon in self._daemons.items() if daemon.poll() is not None]

    def states(self) -> dict[str, str]:
        told = self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T", check=False)
        found = dict(line.split() for line in told.splitlines())
        return {node: found.get(node, "unknown") for node in self.nodes}

    def stop(self) -> None:
        ctld = self._daemons.get("slurmctld")
        if ctld is not None and ctld.poll() is None:
            jobs = set(self.call("squeue", "-h", "-o", "%A", check=False).split())
            if jobs:
                self.call("scancel", "--signal=KILL", "--full", *jobs, check=False)
                self.call("scancel", *jobs, check=False)
                self._wait(lambda: not self.call("squeue", "-h", check=False), 10)
        last = ["slurmctld", "munged"]
        for name in [*(n for n in self._daemons if n not in last), *last]:
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
        if self._held is not None:
            self._held.close()

    def processes(self, node: str | None = None) -> list[int]:
        """What lives in a node's namespace, or in any."""
        spaces = set().union(*self._spaces.values()) if node is None else self._spaces[node]
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns/mnt") in spaces:
                    found.append(int(process.name))
            except OSError:  # it has ended meanwhile, or is somebody else's
                continue
        return found

    def __enter__(self) -> "Lab":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _write(self) -> None:
        for name in ("state", "log", "run", "bin", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(128))
        host = socket.gethostname().partition(".")[0]
        names = "".join(f"127.0.0.1 {name}\n" for name in ("localhost", host, *self.nodes))
        (self.folder / "hosts").write_text(names)
        self._held, (first, *others) = ports.reserve(1 + len(self.nodes))
        gres = f" Gres=gpu:{self.gpus}" if self.gpus else ""
        lines = [
            f"NodeName={node} NodeAddr=127.0.0.1 Port={port} CPUs={self.cpus} RealMemory=4000{gres}"
            for node, port in zip(self.nodes, others, strict=True)
        ]
        signals = "SlurmctldParameters=preempt_send_user_signal\n" if self.user_signal else ""
        text = CONF.format(
            host=host,
            port=first,
            user=getpass.getuser(),
            folder=self.folder,
            user_signal=signals,
            nodes="\n".join(lines),
            grace=self.grace,
        )
        (self.folder / "slurm.conf").write_text(text)
        gpus = [
            f"NodeName={node} Name=gpu File=/dev/{device}"
            for node in self.nodes
            for device in DEVICES[: self.gpus]
        ]
        (self.folder / "gres.conf").write_text("\n".join(["AutoDetect=off", *gpus]) + "\n")
        sacct = self.folder / "bin" / "sacct"
        shutil.copy(Path(__file__).with_name("sacct"), sacct)
        sacct.chmod(0o755)

    def _apart(self, node: str) -> list[str]:
        """The words that put a command into a node's namespaces."""
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

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        if not self._wait(ready, 30):
            said = [file.read_text()[-1000:] for file in (self.folder / "log").glob("*.out")]
            raise RuntimeError(f"{what} did not start within 30 s: {' '.join(said).strip()}")

    def _wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if ready():
                return True
            time.sleep(0.03)
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description="A SLURM cluster inside this machine.")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument(
        "--cpus", type=int, default=2, help="of each node; no matter how many are there"
    )
    parser.add_argument(
        "--gpus", type=int, default=0, help="of each node; only their names are real"
    )
    parser.add_argument("--grace", type=int, default=10, help="seconds, in the partition main")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="slurm_lab_") as folder:
        with Lab(folder, asked.nodes, asked.cpus, asked.gpus, asked.grace) as lab:
            print(f"export SLURM_CONF={lab.folder}/slurm.conf PATH={lab.folder}/bin:$PATH")
            print("# the lab runs until Ctrl-C", flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("stopping the lab")


if __name__ == "__main__":
    main()
