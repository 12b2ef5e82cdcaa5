#!/usr/bin/env python3
"""Compares docs/reference/metrics.md with what a running agent answers at /metrics: every family, its type, its labels.

    metrics_test.py [--binary build/release/lifeboat]

The agent follows a real etcd, with a tail, until it has compared hashes and merged once: then each family is there.
Names of metrics that other documents mention must be families of the page, too.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import commands_test as docs  # noqa: E402

PAGE = 'docs/reference/metrics.md'
LAST = ('lifeboat_last_proof{', 'lifeboat_stored_objects{', 'process_start_time_seconds ')
SAMPLE_OF_HISTOGRAM = re.compile(r'_(bucket|sum|count)$')
PATIENCE_S = 60


def read(path):
    with open(os.path.join(docs.ROOT, path), encoding='utf-8') as file:
        return file.read()


def families_of_page(text):
    """name: (type, labels), from the rows of its tables."""
    families = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        name = re.fullmatch(r'`([a-z_]+)`', cells[0])
        if not name:
            continue
        if name.group(1) in families:
            raise docs.Failure(f'{PAGE}: {name.group(1)} stands there twice')
        labels = re.sub(r': [^,]*(, `[^`]*`)*$', '', cells[3]) if ':' in cells[3] else cells[3]
        families[name.group(1)] = (cells[1], set(re.findall(r'`(\w+)`', labels)))
    return families


def families_of_answer(text):
    """The same, from the text that Prometheus reads."""
    types, labels = {}, {}
    for line in text.splitlines():
        declared = re.fullmatch(r'# TYPE (\S+) (\S+)', line)
        sample = re.match(r'([a-z_]+)(\{[^}]*\})? ', line)
        if declared:
            types[declared.group(1)] = declared.group(2)
        elif sample and not line.startswith('#'):
            name = sample.group(1)
            name = name if name in types else SAMPLE_OF_HISTOGRAM.sub('', name)
            labels.setdefault(name, set()).update(re.findall(r'(\w+)="', sample.group(2) or ''))
    return {name: (types[name], labels.get(name, set())) for name in types}


def differences(page, answer):
    for name in sorted(set(page) | set(answer)):
        if name not in page:
            yield f'{PAGE}: {name} is missing'
        elif name not in answer:
            yield f'{PAGE}: the agent has no {name}'
        elif page[name] != answer[name]:
            yield f'{PAGE}: {name} is {page[name]}, and the agent answers {answer[name]}'


def unknown_names(families):
    """Metrics that documents speak of and the page does not have."""
    for path in docs.documents():
        for name in sorted(set(re.findall(r'\blifeboat_[a-z_]*[a-z]\b', read(path)))):
            if name not in families and SAMPLE_OF_HISTOGRAM.sub('', name) not in families:
                yield f'{path}: there is no metric {name}'


def url_of(log):
    listening = re.search(r'answering .* on port (\d+) of', log)
    return f'http://127.0.0.1:{listening.group(1)}/metrics' if listening else None


def answer_of(agent, log_path):
    """What /metrics answers once everything is there."""
    deadline = time.monotonic() + PATIENCE_S
    text = ''
    while time.monotonic() < deadline and agent.poll() is None:
        time.sleep(0.2)
        with open(log_path, encoding='utf-8') as log:
            url = url_of(log.read())
        if url is None:
            continue
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        if all(sample in text for sample in LAST):
            return text
    with open(log_path, encoding='utf-8') as log:
        raise docs.Failure(f'the agent did not come so far:\n{log.read()}\n{text}')


def ask_an_agent(surroundings):
    surroundings.start()
    root = surroundings.root
    environment = surroundings.environment | {'LIFEBOAT_REPO': f'file://{root}/srv/backup/etcd',
                                              'LIFEBOAT_REPO_KEY_FILE': f'{root}/etc/lifeboat/repo.key'}
    subprocess.run(['lifeboat', 'init', '--new-key'], env=environment, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    log_path = os.path.join(root, 'agent.log')
    with open(log_path, 'wb') as log:
        agent = subprocess.Popen(
            ['lifeboat', 'agent', '--cluster', 'prod', '--endpoints', surroundings.endpoint, '--agent-listen',
             '127.0.0.1:0', '--audit-interval', '1s', '--merge-interval', '1s', '--capture-tail', f'{root}/tail'],
            stdout=log, stderr=log, env=environment)
    try:
        return answer_of(agent, log_path)
    finally:
        docs.Surroundings.stop_etcd(agent)  # ends any process


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--binary', default=os.path.join(docs.ROOT, 'build/release/lifeboat'))
    options = parser.parse_args()
    if not os.access(options.binary, os.X_OK):
        sys.exit(f'{options.binary} is not there: make build')
    root = tempfile.mkdtemp(prefix='lifeboat-metrics-')
    surroundings = docs.Surroundings(os.path.abspath(options.binary), root)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end as well
    failures = []
    try:
        page = families_of_page(read(PAGE))
        answer = families_of_answer(ask_an_agent(surroundings))
        failures = [*differences(page, answer), *unknown_names(page)]
        if len(answer) < 30:
            failures.append(f'only {len(answer)} families were found: the answer is not read as it is written')
    except docs.Failure as failure:
        failures.append(str(failure))
    finally:
        surroundings.stop()
        shutil.rmtree(root, ignore_errors=True)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f'{len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
