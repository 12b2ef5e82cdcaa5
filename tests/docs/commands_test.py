#!/usr/bin/env python3
"""Runs the commands of README, CONTRIBUTING and docs/ against a real etcd, so that a reader can.

    commands_test.py [--binary build/release/lifeboat] [FILE...]

A command stands in a ```console block behind "$ "; a line that ends with a backslash goes on in the next. Other lines
of a block show an answer and are not compared. The commands of one file run in order in one shell, and each must
succeed (`diff` may also answer "there are differences"). A comment before a block says where it belongs:

    (none)                       runs
    <!-- commands: on HOST -->   runs with a /var/lib of that host's own
    <!-- commands: kubeadm -->   needs a kubeadm host: the flags of lifeboat are compared with its --help, and
                                 `restore etcd` runs with --dry-run on a stopped member
    <!-- commands: make -->      make's targets, and the scripts and programs named, must exist

What a reader has and this test puts in the place of it:
    http://127.0.0.1:2379                        an etcd 3.6 with some keys, among them
                                                 /registry/configmaps/default/settings
    /srv, /etc/lifeboat, /var/lib                folders of the test; /var/lib/etcd is a stopped member
    /srv/old/snapshot.db                         a snapshot that etcdctl saved
    POINT                                        the id of the oldest point
    lifeboat, etcd                               on the PATH
"""
import argparse
import glob
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GENERATED = {'docs/cli.md', 'docs/errors.md'}  # a test of their own compares them with the program
PROGRAMS = {'cmake', 'ninja', 'ctest', 'sudo', 'install'}
VALUE_OF_MAKE = re.compile(r'^[A-Z_]+=')


class Command:
    def __init__(self, path, line, mode, text):
        self.path, self.line, self.mode, self.text = path, line, mode, text

    def where(self):
        return f'{self.path}:{self.line}'

    def words(self):
        return shlex.split(self.text, comments=True)


def documents():
    paths = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']
    paths += sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, 'docs/**/*.md'), recursive=True))
    return [path for path in paths if path not in GENERATED]


def commands_of(path, text):
    """Every command of the console blocks of a document, in order."""
    found, mode, inside, open_command = [], '', False, None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        marker = re.fullmatch(r'<!-- commands: (.+) -->', line)
        if inside and line == '```':
            if open_command is not None:
                raise ValueError(f'{open_command.where()}: the command goes on beyond its block')
            inside, mode = False, ''
        elif marker and not inside:
            mode = marker.group(1)
        elif line == '```console':
            inside = True
        elif inside and open_command is not None:
            open_command.text += ' ' + line.removesuffix('\\').strip()
            open_command = open_command if line.endswith('\\') else None
        elif inside and line.startswith('$ '):
            command = Command(path, number, mode, line[2:].removesuffix('\\').strip())
            found.append(command)
            open_command = command if line.endswith('\\') else None
    return found


class Failure(Exception):
    pass


class Surroundings:
    """The prologue: an etcd with some keys, a stopped member, a saved snapshot."""

    def __init__(self, binary, root):
        self.root = root
        self.etcd_folder = self.server_path()
        self.bin = os.path.join(root, 'bin')
        os.makedirs(self.bin)
        os.symlink(binary, os.path.join(self.bin, 'lifeboat'))
        for folder in ('srv/old', 'srv/backup', 'etc/lifeboat', 'hosts', 'tmp'):
            os.makedirs(os.path.join(root, folder))
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(('ETCD', 'LIFEBOAT_'))}
        self.environment.update(PATH=f'{self.bin}:{self.etcd_folder}:{os.environ["PATH"]}', HOME=root,
                                TMPDIR=os.path.join(root, 'tmp'))
        self.environment.pop('XDG_CONFIG_HOME', None)
        self.server = None

    @staticmethod
    def server_path():
        return subprocess.run([os.path.join(ROOT, 'scripts/servers'), '--path', '3.6'], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    def var_lib(self, host):
        return os.path.join(self.root, 'hosts', host, 'var/lib')

    def start(self):
        """A member that ran and stopped for each kubeadm block, and one that runs."""
        stopped = os.path.join(self.var_lib('kubeadm'), 'etcd')
        os.makedirs(self.var_lib('kubeadm'))
        server, _ = self.start_etcd('node-1', stopped)
        self.stop_etcd(server)
        self.server, self.endpoint = self.start_etcd('live', os.path.join(self.root, 'live'))
        for key in ('/registry/configmaps/default/settings', '/registry/pods/default/web-1',
                    '/registry/secrets/default/token'):
            self.etcdctl('put', key, f'the value of {key}')
        self.etcdctl('snapshot', 'save', os.path.join(self.root, 'srv/old/snapshot.db'))
        self.etcdctl('put', '/registry/pods/default/web-2', 'newer than the snapshot')

    def stop(self):
        if self.server is not None:
            self.stop_etcd(self.server)

    def start_etcd(self, name, data_dir):
        for _ in range(5):  # somebody else may take the ports in between
            client, peer = free_ports(2)
            url = f'http://127.0.0.1:{client}'
            with open(os.path.join(self.root, f'{name}.log'), 'ab') as log:
                server = subprocess.Popen(
                    [os.path.join(self.etcd_folder, 'etcd'), '--name', name, '--data-dir', data_dir,
                     '--listen-client-urls', url, '--advertise-client-urls', url,
                     '--listen-peer-urls', f'http://127.0.0.1:{peer}',
                     '--initial-advertise-peer-urls', f'http://127.0.0.1:{peer}',
                     '--initial-cluster', f'{name}=http://127.0.0.1:{peer}'],
                    stdout=log, stderr=log, env=self.environment)
            if wait_healthy(server, url):
                return server, url
            self.stop_etcd(server)
        raise Failure(f'etcd did not start; see {log.name}')

    @staticmethod
    def stop_etcd(server):
        if server.poll() is None:
            server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def etcdctl(self, *arguments):
        done = subprocess.run([os.path.join(self.etcd_folder, 'etcdctl'), '--endpoints', self.endpoint, *arguments],
                              capture_output=True, text=True, env=self.environment, timeout=60, check=False)
        if done.returncode:
            raise Failure(f'etcdctl {" ".join(arguments)}: {done.stderr}')

    def substituted(self, text, host):
        text = text.replace('http://127.0.0.1:2379', self.endpoint)
        text = re.sub(r'(?<![\w.])/var/lib(?=[/\s]|$)', self.var_lib(host), text)
        for folder in ('/srv', '/etc/lifeboat'):
            text = re.sub(rf'(?<![\w.]){folder}(?=[/\s]|$)', self.root + folder, text)
        return text


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_healthy(server, url):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f'{url}/health', timeout=2) as answer:
                if json.load(answer).get('health') == 'true':
                    return True
        except (OSError, ValueError):
            pass
        time.sleep(0.1)
    return False


class Shell:
    """One bash for a document: what a command exports is there for the next."""

    def __init__(self, environment, directory):
        self.process = subprocess.Popen(['bash', '--noprofile', '--norc'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=environment, cwd=directory,
                                        start_new_session=True)

    def run(self, text):
        """Exit status and output."""
        end = '@@end-of-command@@'
        self.process.stdin.write(f'{{ {text}\n}} </dev/null 2>&1; printf "\\n{end} %d\\n" $?\n')
        self.process.stdin.flush()
        output = []
        for line in self.process.stdout:
            if line.startswith(end):
                return int(line.split()[1]), ''.join(output).strip()
            output.append(line)
        raise Failure('the shell ended')

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


class Runner:
    def __init__(self, surroundings):
        self.surroundings = surroundings
        self.ran = 0
        self.helps = {}

    def run_document(self, path):
        with open(os.path.join(ROOT, path), encoding='utf-8') as file:
            commands = commands_of(path, file.read())
        if not commands:
            return []
        shell = Shell(self.surroundings.environment, self.surroundings.root)
        failures = []
        try:
            for command in commands:
                failure = self.check(shell, command)
                print(f'{"FAILED" if failure else "ok    "} {command.where()} {command.text[:90]}', flush=True)
                if failure:
                    failures.append(f'{command.where()}: {command.text}\n{failure}')
        finally:
            shell.close()
        return failures

    def check(self, shell, command):
        """Nothing, or what is wrong."""
        self.ran += 1
        if command.mode == 'make':
            return self.check_make(command)
        if command.mode == 'kubeadm':
            return self.check_kubeadm(shell, command)
        if command.mode and not command.mode.startswith('on '):
            return f'unknown kind of block: {command.mode}'
        return self.execute(shell, command.text, command.mode.removeprefix('on ') or 'here')

    def execute(self, shell, text, host):
        os.makedirs(self.surroundings.var_lib(host), exist_ok=True)
        text = self.surroundings.substituted(text, host)
        if re.search(r'\bPOINT\b', text):
            status, output = shell.run('lifeboat ls -o json 2>/dev/null')
            text = re.sub(r'\bPOINT\b', json.loads(output)['items'][0]['id'] if status == 0 else 'none', text)
        status, output = shell.run(text)
        allowed = (0, 1) if text.startswith('lifeboat diff') else (0,)
        return '' if status in allowed else f'exit {status}\n{output}'

    def check_make(self, command):
        words = command.words()
        if words[0] == 'make':
            done = subprocess.run(['make', '-n', *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
            return done.stderr if done.returncode else ''
        if words[0] in PROGRAMS or words[0].startswith('build/'):
            return ''
        return '' if os.path.exists(os.path.join(ROOT, words[0])) else f'{words[0]} is not there'

    def check_kubeadm(self, shell, command):
        words = command.words()
        if words[0] != 'lifeboat':
            return ''
        verb = [word for word in words[1:3] if not word.startswith('-')]
        known = self.flags_of(' '.join(verb))
        for word in words[1:]:
            flag = word.split('=')[0]
            if flag.startswith('-') and flag not in known:
                return f'lifeboat {" ".join(verb)} has no flag {flag}'
        if verb != ['restore', 'etcd'] or '--undo' in words:
            return ''
        dry = '' if '--dry-run' in words else ' --dry-run'
        return self.execute(shell, command.text + dry, 'kubeadm')

    def flags_of(self, verb):
        if verb not in self.helps:
            done = subprocess.run(['lifeboat', *verb.split(), '--help'], env=self.surroundings.environment,
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise Failure(f'lifeboat {verb} --help: exit {done.returncode}\n{done.stderr}')
            self.helps[verb] = set(re.findall(r'(?<![\w-])--?[a-z][a-z-]*', done.stdout))
        return self.helps[verb]


def broken_links(path):
    """Relative links of a document that lead nowhere, headings included."""
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        text = re.sub(r'```.*?```', '', file.read(), flags=re.S)
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        if re.match(r'[a-z]+:', target):
            continue
        name, _, heading = target.partition('#')
        goal = os.path.normpath(os.path.join(ROOT, os.path.dirname(path), name)) if name else os.path.join(ROOT, path)
        if os.path.relpath(goal, ROOT) in GENERATED:
            continue
        if not os.path.exists(goal):
            yield f'{path}: the link {target} leads nowhere'
        elif heading and heading not in anchors_of(goal):
            yield f'{path}: the link {target} names no heading'


def anchors_of(path):
    with open(path, encoding='utf-8') as file:
        headings = re.findall(r'^#+ (.+)$', file.read(), flags=re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--binary', default=os.path.join(ROOT, 'build/release/lifeboat'))
    parser.add_argument('files', nargs='*', help='documents, relative to the project')
    options = parser.parse_args()
    if not os.access(options.binary, os.X_OK):
        sys.exit(f'{options.binary} is not there: make build')

    failures = [finding for path in options.files or documents() for finding in broken_links(path)]
    root = tempfile.mkdtemp(prefix='lifeboat-docs-')
    surroundings = Surroundings(os.path.abspath(options.binary), root)
    runner = Runner(surroundings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends as well
    try:
        surroundings.start()
        for path in options.files or documents():
            failures += runner.run_document(path)
        if not options.files and runner.ran < 25:
            failures.append(f'only {runner.ran} commands were found: the documents are not read as they are written')
    except Failure as failure:
        failures.append(str(failure))
    finally:
        surroundings.stop()
        shutil.rmtree(root, ignore_errors=True)
    for failure in failures:
        print(f'\n{failure}', file=sys.stderr)
    print(f'{runner.ran} commands, {len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
