#!/usr/bin/env python3
"""make bench: Lifeboat against etcd's own tools, restic and borg, on one machine in one run.

Runs are interleaved (A B C A B C ...), medians are printed, claims are ratios. The database's state is pinned by the
seeds of its load and printed. Everything lies in one scratch folder, which is removed at the end.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import capture_bench

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIB = 1 << 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def servers_path(name):
    return subprocess.run([f"{ROOT}/scripts/servers", "--path", name], check=True, capture_output=True,
                          text=True).stdout.strip()


class Timed:
    """A finished run: wall seconds, CPU seconds, peak resident bytes."""

    def __init__(self, argv, **kwargs):
        began = time.monotonic()
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss * 1024
        self.out = out.decode(errors="replace")
        if process.returncode != 0:
            raise SystemExit(f"bench: {' '.join(argv)} failed:\n{err.decode(errors='replace')}")


class Etcd:
    def __init__(self, folder, data_dir, name="default", peer=None):
        client, peer_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{client}"
        peer = peer or f"http://127.0.0.1:{peer_port}"
        began = time.monotonic()
        self.log = open(data_dir.rstrip("/") + ".log", "ab")
        self.process = subprocess.Popen(
            [f"{folder}/etcd", "--name", name, "--data-dir", data_dir, "--listen-client-urls", self.url,
             "--advertise-client-urls", self.url, "--listen-peer-urls", f"http://127.0.0.1:{peer_port}",
             "--initial-advertise-peer-urls", peer, "--initial-cluster", f"{name}={peer}",
             "--quota-backend-bytes", str(16 << 30), "--snapshot-count", "100000"],
            stdout=self.log, stderr=self.log)
        import urllib.request
        while True:
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=2) as answer:
                    if json.load(answer).get("health") == "true":
                        break
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("bench: etcd ended: see " + self.log.name)
            time.sleep(0.02)
        self.boot_seconds = time.monotonic() - began

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()


class Bench:
    def __init__(self, options):
        self.o = options
        self.dir = tempfile.mkdtemp(prefix="lifeboat-bench-", dir=options.dir)
        self.servers = servers_path("3.6")
        self.oracle = servers_path("oracle") + "/oracle"
        self.lifeboat = f"{options.build}/lifeboat"
        self.stream = f"{options.build}/tests/bench/bench_stream"
        self.text = f"{options.build}/tests/bench/bench_text"
        self.key = f"{self.dir}/repo.key"
        with open(self.key, "w") as f:
            f.write(os.urandom(32).hex() + "\n")
        os.chmod(self.key, 0o600)
        self.rows = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def load(self, etcd, *flags):
        subprocess.run([self.oracle, "load", "--endpoints", etcd.url, *map(str, flags)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def repo(self, name):
        path = self.path(name)
        shutil.rmtree(path, ignore_errors=True)
        Timed([self.lifeboat, "init", "--repo", path, "--repo-key-file", self.key])
        return path

    def lb(self, repo, *args):
        return Timed([self.lifeboat, *args[:2], "--repo", repo, "--repo-key-file", self.key, "--spool-dir", self.dir,
                      "-o", "json", *args[2:]])

    def row(self, work, against, goal, measured, ok, note=""):
        self.rows.append((work, against, goal, measured, "met" if ok else "NOT MET", note))
        print(f"  {work} | {against} | goal {goal} | {measured} | {'met' if ok else 'NOT MET'}", flush=True)

    def ratio_row(self, work, against, ours, theirs, goal, note=""):
        a, b = statistics.median(ours), statistics.median(theirs)
        self.row(work, against, f"at most {goal}", f"{a / b:.2f} ({a:.2f} s : {b:.2f} s)", a / b <= goal, note)

    # ---- the stages ----

    def populate(self):
        n = self.o.objects
        if self.o.source:
            shutil.copytree(self.o.source, self.path("source"))
        etcd = Etcd(self.servers, self.path("source"))
        if not self.o.source:
            self.load(etcd, "--objects", n, "--leases", 50)
            for rounds in range(1, self.o.rounds + 1):
                # The first grows the file: what is updated before a compaction lies in it twice.
                updates = n * 3 // 4 if rounds == 1 else n // 4
                self.load(etcd, "--population", n, "--updates", updates, "--round", rounds, "--compact")
        self.load(etcd, "--tiny", 10)  # writes after the compaction, as every live cluster has
        time.sleep(3)
        status = json.loads(Timed([f"{self.servers}/etcdctl", "--endpoints", etcd.url, "endpoint", "status", "-w",
                                   "json"]).out)[0]["Status"]
        print(f"etcd {status['version']}, {n} objects: file {status['dbSize'] / 1e6:.0f} MB, "
              f"{status['dbSizeInUse'] / 1e6:.0f} MB in use, revision {status['header']['revision']}", flush=True)
        return etcd

    def backups(self, etcd):
        snapshot, packed = self.path("plain.db"), self.path("packed")
        etcdctl = [f"{self.servers}/etcdctl", "--endpoints", etcd.url, "snapshot", "save"]
        script = (f"'{self.servers}/etcdctl' --endpoints {etcd.url} snapshot save {packed} && gzip -f {packed} && "
                  f"openssl enc -aes-256-cbc -pbkdf2 -pass file:{self.key} -in {packed}.gz -out {packed}.enc && rm {packed}.gz")
        bare, ours, save, scripted, peaks = [], [], [], [], []
        for i in range(self.o.runs):
            bare.append(Timed([self.stream, etcd.url]).wall)
            repo = self.repo("repo")
            run = self.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
            ours.append(run.wall)
            peaks.append(run.peak)
            if os.path.exists(snapshot):
                os.remove(snapshot)
            save.append(Timed([*etcdctl, snapshot]).wall)
            if i < 2:
                scripted.append(Timed(["sh", "-c", script]).wall)
        proven = self.repo("proven")
        proof = self.lb(proven, "backup", "etcd", "--endpoints", etcd.url)
        if json.loads(proof.out).get("proof", {}).get("state") != "proven":
            raise SystemExit("bench: the backup was not proven")
        shutil.rmtree(proven)
        stored = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(repo) for f in fs)
        print(f"  stored {stored / 1e6:.1f} MB of a snapshot of {os.path.getsize(snapshot) / 1e6:.0f} MB; with the proof "
              f"{proof.wall:.2f} s", flush=True)
        self.full_seconds = statistics.median(ours)
        work = "backup into an empty encrypted repo"
        self.ratio_row(work, "bare stream", ours, bare, 1.5)
        self.ratio_row(work, "etcdctl snapshot save", ours, save, 0.60)
        self.ratio_row(work, "etcdctl | gzip | openssl", ours, scripted, 0.30)
        self.peak_row("backup", max(peaks))
        return repo, snapshot

    def distant_backups(self, etcd):
        """From a member 2 ms away, where it counts how much may be under way."""
        proxy = subprocess.Popen([sys.executable, f"{ROOT}/tests/bench/distant.py", etcd.url.rsplit(":", 1)[1], "1"],
                                 stdout=subprocess.PIPE, text=True)
        ours, save, snapshot = [], [], self.path("distant.db")
        try:
            url = "http://127.0.0.1:" + proxy.stdout.readline().strip()
            for _ in range(self.o.runs):
                ours.append(self.lb(self.repo("distant"), "backup", "etcd", "--endpoints", url, "--no-proof").wall)
                save.append(Timed([f"{self.servers}/etcdctl", "--endpoints", url, "snapshot", "save", snapshot]).wall)
                os.remove(snapshot)
        finally:
            proxy.kill()
            proxy.wait()
        shutil.rmtree(self.path("distant"))
        self.ratio_row("the same from a member 2 ms away", "etcdctl from there", ours, save, 1.0)

    def peak_row(self, work, peak):
        self.row(f"peak memory of {work}", "-", "at most 256 MiB", f"{peak / MIB:.0f} MiB", peak <= 256 * MIB)

    def increments(self, etcd, repo, snapshot):
        peers = {}
        env = dict(os.environ, RESTIC_PASSWORD="bench", BORG_PASSPHRASE="bench", BORG_BASE_DIR=self.path("borg-base"),
                   RESTIC_CACHE_DIR=self.path("restic-cache"))
        size = lambda p: sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(p) for f in fs)
        tools = {}
        if shutil.which("restic"):
            tools["restic"] = (["restic", "-q", "-r", self.path("restic"), "init"],
                               lambda i: ["restic", "-q", "-r", self.path("restic"), "backup", snapshot])
        if shutil.which("borg"):
            tools["borg"] = (["borg", "init", "-e", "repokey", self.path("borg")],
                             lambda i: ["borg", "create", f"{self.path('borg')}::a{i}", snapshot])
        for name, (init, backup) in tools.items():
            Timed(init, env=env)
            Timed(backup(0), env=env)
            peers[name] = size(self.path(name))
        before = size(repo)
        n = self.o.objects
        self.load(etcd, "--population", n, "--updates", n // 20, "--round", 100, "--compact")
        self.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
        ours = size(repo) - before
        os.remove(snapshot)
        Timed([f"{self.servers}/etcdctl", "--endpoints", etcd.url, "snapshot", "save", snapshot])
        for name, (_, backup) in tools.items():
            Timed(backup(1), env=env)
            grown = size(self.path(name)) - peers[name]
            self.row(f"a further point, {n // 20} of {n} objects changed and compacted: bytes", name, "at most 1/35",
                     f"1/{grown / ours:.1f} ({ours / 1e6:.2f} MB : {grown / 1e6:.1f} MB)", ours * 35 <= grown)
            shutil.rmtree(self.path(name))

    def restores(self, repo, snapshot):
        ours, theirs, our_boot, their_boot, peaks, copies = [], [], [], [], [], []
        peer = "http://127.0.0.1:" + str(free_port())
        for _ in range(self.o.runs):
            naming = ["--name", "m", "--initial-cluster", f"m={peer}", "--initial-advertise-peer-urls", peer]
            # Each finds the memory that its own last result leaves: what a machine has touched before costs much less.
            shutil.rmtree(self.path("a.etcd"), ignore_errors=True)
            run = self.lb(repo, "restore", "etcd", "--to", "latest", "--data-dir", self.path("a.etcd"), *naming)
            ours.append(run.wall)
            peaks.append(run.peak)
            shutil.rmtree(self.path("b.etcd"), ignore_errors=True)
            theirs.append(Timed([f"{self.servers}/etcdutl", "snapshot", "restore", snapshot, "--data-dir",
                                 self.path("b.etcd"), *naming]).wall)
            if os.path.exists(self.path("copy")):
                os.remove(self.path("copy"))
            copies.append(Timed(["sh", "-c", f"cp {self.path('b.etcd')}/member/snap/db {self.path('copy')} && sync {self.path('copy')}"]).wall)
            for boots, data in ((our_boot, "a.etcd"), (their_boot, "b.etcd")):
                etcd = Etcd(self.servers, self.path(data), "m", peer)
                boots.append(etcd.boot_seconds)
                etcd.stop()
        print(f"  cp + sync of the restored database: {statistics.median(copies):.2f} s", flush=True)
        self.ratio_row("restore from the encrypted repo", "etcdutl snapshot restore", ours, theirs, 0.20)
        self.ratio_row("etcd boot on the restored directory", "on etcdutl's", our_boot, their_boot, 0.8)
        self.peak_row("restore", max(peaks))

    def verifies(self, repo):
        ours, core, peaks, plain = [], [], [], 0
        for _ in range(self.o.runs):
            run = self.lb(repo, "verify", "latest", "--level", "3")
            ours.append(run.wall)
            peaks.append(run.peak)
            words = Timed([self.text, repo, self.key]).out.split()
            plain = int(words[0])
            core.append(float(words[1]))
        speed, limit = plain / statistics.median(ours), plain / statistics.median(core)
        self.row("verify --level 3", "one core of zstd and CRC-32C", "at least 0.6",
                 f"{speed / limit:.2f} ({speed / 1e6:.0f} : {limit / 1e6:.0f} MB/s of text)", speed >= 0.6 * limit)
        self.peak_row("verify --level 3", max(peaks))

    def run(self):
        memory = next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1]
        print(f"{os.cpu_count()} cores, {int(memory) // (1 << 20)} GiB, {self.o.runs} interleaved runs, medians", flush=True)
        etcd = self.populate()
        try:
            repo, snapshot = self.backups(etcd)
            self.distant_backups(etcd)
            self.increments(etcd, repo, snapshot)
            if not self.o.no_capture:
                capture_bench.run(self, etcd, self.full_seconds)
        finally:
            etcd.stop()
        self.verifies(repo)
        self.restores(repo, snapshot)
        print("\n| work | against | goal | measured | |\n|---|---|---|---|---|")
        for work, against, goal, measured, verdict, _ in self.rows:
            print(f"| {work} | {against} | {goal} | {measured} | {verdict} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=400000)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of updates and compaction that scramble the file")
    parser.add_argument("--source", help="a data directory that such a load has left, copied instead of loading again")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", type=int, default=300000, help="revisions of the long history")
    parser.add_argument("--no-capture", action="store_true", help="leave out the stages of continuous capture")
    parser.add_argument("--build", default=f"{ROOT}/build/release", help="the build folder to measure")
    parser.add_argument("--dir", default="/var/tmp")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder")
    bench = Bench(parser.parse_args())
    try:
        bench.run()
    finally:
        if not bench.o.keep:
            shutil.rmtree(bench.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
