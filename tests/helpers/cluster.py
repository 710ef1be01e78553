"""A real SLURM on loopback: munged, slurmdbd with MariaDB, slurmctld, several slurmd.

Started by the calling user, without systemd, in a folder of its own; several
can run side by side on different ports.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .waiting import limit, wait_for

CLIENTS = (
    "sbatch",
    "srun",
    "squeue",
    "sacct",
    "scancel",
    "scontrol",
    "sinfo",
    "sacctmgr",
    "sshare",
)

PLACES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def missing_programs() -> list[str]:
    """Programs that a cluster needs and this machine lacks."""
    path = os.pathsep.join(PLACES)
    needed = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "ss")
    return [name for name in needed if shutil.which(name, path=path) is None]


def free_port_block(size: int) -> int:
    """The first of some consecutive ports that nobody listens on."""
    start = 16000 + 100 * (os.getpid() % 150)
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(start, start + size):
                listener = stack.enter_context(socket.socket())
                listener.bind(("127.0.0.1", port))
            return start
        start += 100


@dataclass
class Cluster:
    """A running cluster below `root`; `environment` is what its users need."""

    root: Path
    nodes: int = 4
    cpus: int = 4
    memory: int = 6000  # MB per node, as SLURM is told; the machine need not have it
    private_tmp: bool = False
    min_job_age: int = 300
    port: int = field(default_factory=lambda: free_port_block(40))
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def user(self) -> str:
        """Who runs the daemons."""
        return pwd.getpwuid(os.getuid()).pw_name

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make SLURM's commands speak to this cluster."""
        return {
            "SLURM_CONF": str(self.root / "etc" / "slurm.conf"),
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Bring everything up and wait until every node is idle."""
        for folder in ("etc", "run", "log", "state", "spool", "bin"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.start_munge()
        self.write_clients()
        self.write_settings()
        self.start_accounting()
        self.spawn("slurmctld", "slurmctld", "-D")
        wait_for(lambda: "is UP" in self.ask("scontrol", "ping"), 30, "the start of slurmctld")
        for n in range(1, self.nodes + 1):
            self.start_node(n)
        self.wait_for_nodes()

    def start_munge(self) -> None:
        """The authentication daemon, with a key of this cluster's own."""
        key = self.root / "etc" / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        run = self.root / "run"
        self.spawn(
            "munged", "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={run}/munge.sock", f"--pid-file={run}/munged.pid",
            f"--log-file={self.root}/log/munged.log", f"--seed-file={self.root}/state/seed",
        )  # fmt: skip
        wait_for((run / "munge.sock").exists, 10, "the start of munged")

    def write_clients(self) -> None:
        """Wrappers of SLURM's commands that know the cluster.

        Snakemake's job step removes SLURM_CONF from the environment.
        """
        for name in CLIENTS:
            wrapper = self.root / "bin" / name
            wrapper.write_text(
                f"#!/bin/sh\nexport SLURM_CONF='{self.root}/etc/slurm.conf'\n"
                f'exec /usr/bin/{name} "$@"\n'
            )
            wrapper.chmod(0o755)

    def write_settings(self) -> None:
        """slurm.conf, slurmdbd.conf and job_container.conf."""
        host = socket.gethostname().split(".")[0]
        root, port = self.root, self.port
        settings = {
            "ClusterName": "test",
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmctldPort": port,
            "SlurmUser": self.user,
            "SlurmdUser": self.user,
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={root}/run/munge.sock",
            "CredType": "cred/munge",
            "CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny",
            "StateSaveLocation": f"{root}/state",
            "SlurmdSpoolDir": f"{root}/spool/%n",
            "SlurmctldPidFile": f"{root}/run/slurmctld.own",
            "SlurmdPidFile": f"{root}/run/%n.own",
            "SlurmctldLogFile": f"{root}/log/slurmctld.log",
            "SlurmdLogFile": f"{root}/log/%n.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "MpiDefault": "none",
            "SwitchType": "switch/none",
            "SlurmdParameters": "config_overrides",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU_Memory,CR_LLN",
            "DefMemPerCPU": 100,
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "batch_sched_delay=0,sched_min_interval=0",
            "PreemptType": "preempt/partition_prio",
            "PreemptMode": "CANCEL",
            "GresTypes": "gpu",
            "ReturnToService": 2,
            "JobAcctGatherType": "jobacct_gather/linux",
            "JobAcctGatherFrequency": "task=1",
            "JobAcctGatherParams": "OverMemoryKill",
            "SlurmctldTimeout": round(limit(30)),
            # A node that is merely slow is not taken for dead.
            "SlurmdTimeout": round(limit(5)),
            "KillWait": round(limit(3)),
            "OverTimeLimit": 0,
            "CompleteWait": 0,
            "MinJobAge": self.min_job_age,
            "AccountingStorageType": "accounting_storage/slurmdbd",
            "AccountingStorageHost": "127.0.0.1",
            "AccountingStoragePort": port + 1,
            "AccountingStoragePass": f"{root}/run/munge.sock",
            "AccountingStorageUser": self.user,
            "AccountingStoreFlags": "job_comment",
        }
        if self.private_tmp:
            settings |= {"JobContainerType": "job_container/tmpfs", "PrologFlags": "Contain"}
            lines = []
            for n in range(1, self.nodes + 1):
                (root / "jobtmp" / f"node{n}").mkdir(parents=True, exist_ok=True)
                lines.append(f"NodeName=node{n} AutoBasePath=true BasePath={root}/jobtmp/node{n}")
            (root / "etc" / "job_container.conf").write_text("\n".join(lines) + "\n")
        lines = [f"{key}={value}" for key, value in settings.items()]
        for n in range(1, self.nodes + 1):
            gres = " Gres=gpu:1" if n == 1 else " Feature=skylake" if n == 2 else ""
            lines.append(
                f"NodeName=node{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={port + 10 + n} "
                f"CPUs={self.cpus} RealMemory={self.memory}{gres} State=UNKNOWN"
            )
        common = "Nodes=ALL MaxTime=INFINITE DefaultTime=60 State=UP"
        lines.append(f"PartitionName=main {common} Default=YES PriorityTier=1")
        lines.append(f"PartitionName=urgent {common} PriorityTier=100 PreemptMode=OFF")
        (root / "etc" / "slurm.conf").write_text("\n".join(lines) + "\n")
        # A device file that is always there stands for the graphics card.
        (root / "etc" / "gres.conf").write_text("NodeName=node1 Name=gpu File=/dev/null\n")
        accounting = {
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={root}/run/munge.sock",
            "DbdHost": host,
            "DbdAddr": "127.0.0.1",
            "DbdPort": port + 1,
            "SlurmUser": self.user,
            "CommunicationParameters": "NoInAddrAny",
            "PidFile": f"{root}/run/slurmdbd.own",
            "LogFile": f"{root}/log/slurmdbd.log",
            "StorageType": "accounting_storage/mysql",
            "StorageHost": "localhost",
            "StorageUser": self.user,
            "StorageLoc": "slurm_acct_db",
        }
        path = root / "etc" / "slurmdbd.conf"
        path.write_text("".join(f"{key}={value}\n" for key, value in accounting.items()))
        path.chmod(0o600)

    def start_accounting(self) -> None:
        """MariaDB and slurmdbd, so that `sacct` works."""
        data, run = self.root / "db", self.root / "run"
        with (self.root / "log" / "mariadb-install.out").open("w") as out:
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", f"--user={self.user}", f"--datadir={data}",
                 "--auth-root-authentication-method=socket",
                 f"--auth-root-socket-user={self.user}", "--skip-test-db"],
                stdout=out, stderr=out, check=True,
            )  # fmt: skip
        self.spawn(
            "mariadbd", "mariadbd", "--no-defaults", f"--user={self.user}", f"--datadir={data}",
            f"--socket={run}/my.sock", f"--pid-file={run}/mariadbd.pid", "--skip-networking",
            "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin",
        )  # fmt: skip
        wait_for((run / "my.sock").exists, 60, "the start of mariadbd")
        self.spawn("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=str(run / "my.sock"))
        wait_for(
            lambda: self.succeeds("sacctmgr", "-n", "-i", "show", "cluster"),
            60,
            "the start of slurmdbd",
        )
        self.ask("sacctmgr", "-i", "add", "cluster", "test")
        self.ask("sacctmgr", "-i", "add", "account", "lab", "cluster=test")
        self.ask("sacctmgr", "-i", "add", "user", self.user, "account=lab")

    def start_node(self, n: int) -> None:
        """One slurmd."""
        (self.root / "spool" / f"node{n}").mkdir(exist_ok=True)
        self.spawn(f"node{n}", "slurmd", "-D", "-N", f"node{n}")

    def wait_for_nodes(self) -> None:
        """Wait until every node can take jobs."""

        def ready() -> bool:
            states = self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%t").split()
            return len(states) == self.nodes and set(states) <= {"idle", "mix", "alloc"}

        wait_for(ready, 90, "the start of the nodes")

    def spawn(self, name: str, *cmd: str, **variables: str) -> None:
        """Start a daemon in the foreground of a session of its own."""
        environment = {**os.environ, **variables}
        environment["SLURM_CONF"] = str(self.root / "etc" / "slurm.conf")
        environment["PATH"] = os.pathsep.join([*PLACES, environment["PATH"]])
        with (self.root / "log" / f"{name}.out").open("a") as out:
            self.processes[name] = subprocess.Popen(
                cmd, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                start_new_session=True, env=environment, cwd="/",
            )  # fmt: skip

    def ask(self, *cmd: str, seconds: float = 30) -> str:
        """What a SLURM command prints; an empty text where it fails."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            cmd, capture_output=True, text=True, env=environment, timeout=limit(seconds)
        )
        return done.stdout.strip()

    def succeeds(self, *cmd: str) -> bool:
        """True where a SLURM command ends well."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(cmd, capture_output=True, env=environment, timeout=limit(30))
        return done.returncode == 0

    def step_daemons(self, node: str) -> set[int]:
        """Processes that hold a job step of a node, by the sockets they listen on."""
        found = set()
        for path in (self.root / "spool" / node).glob(f"{node}_*"):
            out = subprocess.run(["ss", "-xlpH", "src", str(path)], capture_output=True, text=True)
            found |= {int(part.split(",")[0]) for part in out.stdout.split("pid=")[1:]}
        return found

    def cut_power(self, n: int) -> None:
        """Kill a node's daemon, its steps, and all that they started; leave no trace on it."""
        node = f"node{n}"
        steps = self.step_daemons(node)
        self.processes.pop(node).kill()
        for pid in steps:
            kill_session(pid)
        for pattern in (f"{node}_*", "job*"):
            for path in (self.root / "spool" / node).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def restart_controller(self, pause: float, *options: str) -> None:
        """Stop slurmctld for some seconds; with `-c` it forgets every job."""
        process = self.processes.pop("slurmctld")
        process.terminate()
        process.wait(timeout=limit(30))
        time.sleep(pause)
        self.spawn("slurmctld", "slurmctld", "-D", *options)
        wait_for(lambda: "is UP" in self.ask("scontrol", "ping"), 30, "the start of slurmctld")

    def stop(self) -> None:
        """End every job and every daemon."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.ask("scancel", "--full", "-u", self.user)
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            wait_for(lambda: not self.ask("squeue", "-h"), 10)
        for n in range(1, self.nodes + 1):
            for pid in self.step_daemons(f"node{n}"):
                kill_session(pid)
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=limit(15))
            except subprocess.TimeoutExpired:
                process.kill()


def kill_session(pid: int) -> None:
    """Kill a process and all of its session."""
    with contextlib.suppress(ProcessLookupError):
        session = os.getsid(pid)
        out = subprocess.run(
            ["ps", "-o", "pid=", "-s", str(session)], capture_output=True, text=True
        )
        for member in {pid, *map(int, out.stdout.split())}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
