#!/usr/bin/env python3
"""Sources are formatted as `make format` leaves them, and the test oracle as gofmt does."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def sources(*endings):
    found = []
    for top in ("src", "tests"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            found += [os.path.join(folder, name) for name in names if name.endswith(endings)]
    assert found, endings
    return sorted(found)


def output_of(*argv):
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout if done.returncode != 0 or argv[0] == "gofmt" else ""


found = output_of("clang-format-19", "--dry-run", "-Werror", *sources(".cc", ".h"))
found += output_of("gofmt", "-l", *sources(".go"))
if found:
    sys.exit(f"{found}\nformat_test: `make format` formats these")
