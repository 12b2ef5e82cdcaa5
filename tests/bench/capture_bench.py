"""The stages of make bench for continuous capture: latency, cost, backlogs, restores of a long history, key history."""
import glob
import json
import os
import shutil
import signal
import statistics
import subprocess
import threading
import time


def revision_of(bench, etcd):
    out = subprocess.run([f"{bench.servers}/etcdctl", "--endpoints", etcd.url, "endpoint", "status", "-w", "json"],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)[0]["Status"]["header"]["revision"]


def newest_captured(repo):
    """The highest revision that a segment's name tells, and when that segment appeared."""
    newest = {}
    for path in glob.glob(f"{repo}/s/*/*/*"):
        lo, hi = os.path.basename(path).split("-")[:2]
        newest[int(hi, 16)] = min(newest.get(int(hi, 16), 1 << 62), os.stat(path).st_mtime_ns)
    return newest


class Agent:
    """A running `lifeboat agent`."""

    def __init__(self, bench, repo, etcd, *flags):
        self.log = open(bench.path("agent.log"), "ab")
        self.process = subprocess.Popen(
            [bench.lifeboat, "agent", "--repo", repo, "--repo-key-file", bench.key, "--spool-dir", bench.dir,
             "--endpoints", etcd.url, "--agent-listen", "127.0.0.1:0", *flags], stdout=self.log, stderr=self.log)

    def wait_for_first_audit(self, seconds=180):
        until = time.monotonic() + seconds
        while "proven" not in open(self.log.name).read():
            if time.monotonic() > until:
                raise SystemExit(f"bench: the agent made no audit: see {self.log.name}")
            time.sleep(0.2)

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self, field="VmHWM"):
        line = next(l for l in open(f"/proc/{self.process.pid}/status") if l.startswith(field))
        return int(line.split()[1]) * 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.log.close()
        if code != 0:
            raise SystemExit(f"bench: the agent ended with {code}: see {self.log.name}")


class ThreadCpu:
    """CPU of a process by the names of its threads. What threads took that came and went between two looks (the sealing of
    a flush) is the difference to the whole process, "short-lived"."""

    def __init__(self, pid):
        self.pid, self.seen, self.stopped = pid, {}, threading.Event()
        self.look()
        self.first = {tid: seconds for tid, (_, seconds) in self.seen.items()}
        self.whole = self.process_seconds()
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.keep_looking, daemon=True)
        self.thread.start()

    @staticmethod
    def parse(path):
        text = open(path).read()
        fields = text.rsplit(")", 1)[1].split()
        return text.split("(", 1)[1].rsplit(")", 1)[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def process_seconds(self):
        return self.parse(f"/proc/{self.pid}/stat")[1]

    def look(self):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                self.seen[task] = self.parse(f"/proc/{self.pid}/task/{task}/stat")
            except (FileNotFoundError, ProcessLookupError):
                pass

    def keep_looking(self):
        while not self.stopped.wait(0.25):
            self.look()

    def finish(self):
        """Shares of one core by name, and of the whole process."""
        self.stopped.set()
        self.thread.join()
        self.look()
        wall = time.monotonic() - self.began
        shares = {}
        for tid, (name, seconds) in self.seen.items():
            shares[name] = shares.get(name, 0) + (seconds - self.first.get(tid, 0)) / wall
        whole = (self.process_seconds() - self.whole) / wall
        shares["short-lived"] = max(0.0, whole - sum(shares.values()))
        return shares, whole


def threads_text(shares):
    return ", ".join(f"{name} {share * 100:.1f} %" for name, share in sorted(shares.items(), key=lambda s: -s[1])
                     if share >= 0.0005)


def wait_for_revision(repo, revision, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if max(newest_captured(repo), default=0) >= revision:
            return
        time.sleep(0.05)
    raise SystemExit(f"bench: revision {revision} was not captured within {seconds} s")


def fsync_milliseconds(folder):
    """Median of writing and syncing 64 KiB: what one durable publish cannot be faster than."""
    times = []
    for i in range(20):
        path = os.path.join(folder, f"fsync-{i}")
        began = time.monotonic()
        with open(path, "wb") as f:
            f.write(os.urandom(65536))
            f.flush()
            os.fsync(f.fileno())
        times.append(time.monotonic() - began)
        os.remove(path)
    return statistics.median(times) * 1000


def steady_capture(bench, etcd, seconds=30):
    repo = bench.repo("captured")
    bench.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
    agent = Agent(bench, repo, etcd, "--audit-interval", "1h", "--merge-interval", "1h")
    try:
        agent.wait_for_first_audit()  # which reads the whole log once; audits and merges are counted apart
        put = [bench.oracle, "write", "--endpoints", etcd.url, "--value-bytes", "2000"]
        subprocess.run([*put, "--rate", "100", "--seconds", "3"], check=True)
        wait_for_revision(repo, revision_of(bench, etcd))
        began, cpu, journal = time.monotonic(), ThreadCpu(agent.process.pid), bench.path("journal")
        subprocess.run([*put, "--rate", "1000", "--seconds", str(seconds), "--journal", journal], check=True)
        shares, share = cpu.finish()
        wall = time.monotonic() - began
        wait_for_revision(repo, revision_of(bench, etcd))
        peak = agent.resident_bytes()
    finally:
        agent.stop()
    durable = sorted(newest_captured(repo).items())
    delays, at = [], 0
    for revision, acknowledged in sorted(tuple(map(int, line.split())) for line in open(journal)):
        while durable[at][0] < revision:
            at += 1
        delays.append(max(0, durable[at][1] - acknowledged) / 1e9)
    delays.sort()
    p50, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
    bench.row("etcd commit to durable, 1,000 writes/s of 2 KB", f"fsync of 64 KiB {fsync_milliseconds(bench.dir):.1f} ms",
              "p50 1.0 s, p99 1.5 s", f"p50 {p50:.2f} s, p99 {p99:.2f} s", p50 <= 1.0 and p99 <= 1.5)
    bench.row("agent CPU at that load, capture and flushes", "one core", "at most 8 %",
              f"{share * 100:.1f} % ({len(delays) / wall:.0f} writes/s reached)", share <= 0.08)
    print(f"  by thread: {threads_text(shares)}")
    bench.row("agent memory at that load", "-", "at most 128 MiB", f"{peak / (1 << 20):.0f} MiB", peak <= 128 << 20)
    shutil.rmtree(repo)


def merges_and_audits(bench, etcd, seconds=75):
    """The same load with merges each 20 s and an audit each 30 s: what they cost, apart from capture and flushes."""
    repo = bench.repo("merged")
    bench.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
    agent = Agent(bench, repo, etcd, "--audit-interval", "30s", "--merge-interval", "20s")
    try:
        agent.wait_for_first_audit()
        put = [bench.oracle, "write", "--endpoints", etcd.url, "--value-bytes", "2000"]
        cpu = ThreadCpu(agent.process.pid)
        subprocess.run([*put, "--rate", "1000", "--seconds", str(seconds)], check=True)
        shares, _ = cpu.finish()
    finally:
        agent.stop()
    bench.row("agent CPU, merges (every 20 s) and audits (every 30 s), apart", "one core", "-",
              f"merges {shares.get('merge', 0) * 100:.1f} %, audits {shares.get('audit', 0) * 100:.1f} %", True)
    print(f"  by thread: {threads_text(shares)}")
    shutil.rmtree(repo)


def further_points(bench, etcd, full_seconds):
    """Incremental backups without compaction in between."""
    repo = bench.repo("incremental")
    bench.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
    n = bench.o.objects
    for changes, goal, round_number in ((20000, 0.2, 201), (1000, 0.05, 202)):
        bench.load(etcd, "--population", n, "--updates", changes, "--round", round_number)
        run = bench.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
        answer = json.loads(run.out)
        bench.row(f"incremental backup after {changes} changes ({answer['method']})", "a full one", f"at most {goal}",
                  f"{run.wall / full_seconds:.3f} ({run.wall:.2f} s : {full_seconds:.2f} s)",
                  run.wall / full_seconds <= goal)
        if changes == 20000:
            stored = answer["storedBytes"]
            bench.row("bytes of it", "-", "at most 4.2 MB",
                      f"{stored / 1e6:.2f} MB of {answer['newPlainBytes'] / 1e6:.1f} MB", stored <= 4.2e6)
    return repo


def long_history(bench, etcd, repo, events):
    """A backlog of single-event revisions: caught up, restored with its base, told by key."""
    base_restore = [timed_restore(bench, repo) for _ in range(bench.o.runs)]
    behind = revision_of(bench, etcd)
    subprocess.run([bench.oracle, "write", "--endpoints", etcd.url, "--rate", "100000", "--seconds", str(events / 100000),
                    "--value-bytes", "1000", "--keys", "50000", "--concurrency", "256"], check=True)
    caught = bench.lb(repo, "backup", "etcd", "--endpoints", etcd.url, "--no-proof")
    answer = json.loads(caught.out)
    speed = (answer["revision"] - behind) / caught.wall
    full = bench.lb(bench.repo("instead"), "backup", "etcd", "--endpoints", etcd.url, "--no-proof").wall
    shutil.rmtree(bench.path("instead"))
    bench.row(f"catching up {events} events (by {answer['method']}, {speed:.0f} events/s)", "a snapshot instead", "at most 1",
              f"{caught.wall / full:.2f} ({caught.wall:.2f} s : {full:.2f} s)", caught.wall <= full)
    long_restore = [timed_restore(bench, repo) for _ in range(bench.o.runs)]
    a = statistics.median(r.wall for r in long_restore)
    b = statistics.median(r.wall for r in base_restore)
    bench.row(f"restore of the base and {events} events", "of the base alone", "at most 1.5",
              f"{a / b:.2f} ({a:.2f} s : {b:.2f} s)", a <= 1.5 * b)
    bench.row("the same", "the peer's 62 s, measured elsewhere", "under 1/30", f"1/{62 / a:.0f}", a < 62 / 30)
    bench.peak_row("that restore", max(r.peak for r in long_restore))
    key = "/registry/written/000007"
    told = [bench.lb(repo, "log", key, "--exact").wall for _ in range(bench.o.runs)]
    bench.row(f"log of one key over {events} events", "-", "at most 0.3 s", f"{statistics.median(told):.2f} s",
              statistics.median(told) <= 0.3)
    to = answer["revision"]
    for name, flags in (("counts", ["--stat"]), ("every key", ["--limit", "100000"])):
        compared = [subprocess_wall([bench.lifeboat, "diff", f"rev:{to - 20000}", f"rev:{to}", *flags, "--repo", repo,
                                     "--repo-key-file", bench.key, "--spool-dir", bench.dir]) for _ in range(bench.o.runs)]
        bench.row(f"diff of revisions 20,000 changes apart, {name}", "-", "at most 0.5 s",
                  f"{statistics.median(compared):.2f} s", statistics.median(compared) <= 0.5)


def subprocess_wall(argv):
    began = time.monotonic()
    code = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    if code not in (0, 1):
        raise SystemExit(f"bench: {' '.join(argv)} exits with {code}")
    return time.monotonic() - began


def timed_restore(bench, repo):
    target = bench.path("restored")
    shutil.rmtree(target, ignore_errors=True)
    return bench.lb(repo, "restore", "etcd", "--to", "latest", "--data-dir", target)


def run(bench, etcd, full_seconds):
    steady_capture(bench, etcd)
    merges_and_audits(bench, etcd)
    repo = further_points(bench, etcd, full_seconds)
    long_history(bench, etcd, repo, bench.o.events)
    shutil.rmtree(repo)
