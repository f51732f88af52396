"""The configuration files of a lab: slurm.conf, gres.conf, the hosts file and the munge key."""

import getpass
import os
import socket
from collections.abc import Sequence
from pathlib import Path

DEVICES = ("null", "zero", "full", "random")  # stand in for GPUs: any character device will do

CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
# Ranks meet at a port that Lightning derives from the job id: no two labs may count from 1.
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
# A signal to a job reaches all of its processes, loader workers too: the hard case.
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
# Finished jobs stay visible to scontrol, for tests to see how they ended.
MinJobAge=86400
GresTypes=gpu
{nodes}
PartitionName=DEFAULT Nodes=ALL State=UP PreemptMode=REQUEUE
PartitionName=main Default=YES PriorityTier=1 GraceTime={grace}
PartitionName=abrupt PriorityTier=1 GraceTime=0
PartitionName=high PriorityTier=10 PreemptMode=OFF
"""


def write_slurm_conf(
    folder: Path,
    nodes: Sequence[str],
    ports: Sequence[int],
    *,
    cpus: int,
    gpus: int,
    grace: int,
    user_signal: bool,
) -> None:
    """Write slurm.conf and gres.conf; the first port is slurmctld's."""
    controller_port, *node_ports = ports
    gres = f" Gres=gpu:{gpus}" if gpus else ""
    node_lines = [
        f"NodeName={node} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=4000{gres}"
        for node, port in zip(nodes, node_ports, strict=True)
    ]
    text = CONF.format(
        host=short_host_name(),
        port=controller_port,
        user=getpass.getuser(),
        folder=folder,
        user_signal="SlurmctldParameters=preempt_send_user_signal\n" if user_signal else "",
        nodes="\n".join(node_lines),
        grace=grace,
    )
    (folder / "slurm.conf").write_text(text)
    gpu_lines = [
        f"NodeName={node} Name=gpu File=/dev/{device}"
        for node in nodes
        for device in DEVICES[:gpus]
    ]
    (folder / "gres.conf").write_text("\n".join(["AutoDetect=off", *gpu_lines]) + "\n")


def write_hosts(folder: Path, nodes: Sequence[str]) -> None:
    """Write a hosts file in which this machine and every node are 127.0.0.1."""
    names = ("localhost", short_host_name(), *nodes)
    (folder / "hosts").write_text("".join(f"127.0.0.1 {name}\n" for name in names))


def write_munge_key(folder: Path) -> None:
    """Write a random key that only this user can read, unless there is one."""
    key = folder / "munge.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))


def short_host_name() -> str:
    """This machine's name without its domain."""
    return socket.gethostname().partition(".")[0]
