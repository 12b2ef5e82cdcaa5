"""The rules of the source tree that no compiler checks; each rule returns its findings as sentences."""
import os
import re

CODE = ('.h', '.cc')
TEXT = CODE + ('.py', '.go', '.cmake', '.txt', '.md', '.json', '.yaml', '.yml', '.proto', '.sh', '.mod', '')
LINES_MAX = 700
SKIPPED = {'.git', 'build', '.cache', 'corpus', 'golden', '__pycache__'}
GENERATED = re.compile(r'\.(pb|grpc\.pb)\.h$')

# Spelled backwards, so that this file passes its own rule.
MARKS = [word[::-1] for word in ('ODOT', 'EMXIF', 'KCAH')] + ['X' * 3]
FOREIGN = [word[::-1] for word in ('tpgtahc', 'tolipoc', 'edualc', 'ciporhtna', 'ianepo', 'ledom egaugnal',
                                   'detareneg-ia', 'tnegabus', '/krow/')]


def read(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


def files_of(root, folder='', suffixes=TEXT):
    """Paths below root/folder, relative to root, in order."""
    for directory, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            if os.path.splitext(name)[1] in suffixes and name not in SKIPPED:
                yield os.path.relpath(os.path.join(directory, name), root)


def levels_of(root):
    """Each level and the set of those that CMakeLists.txt lets it see."""
    levels = {}
    text = re.sub(r'#.*', '', read(os.path.join(root, 'CMakeLists.txt')))
    for call in re.findall(r'lifeboat_level\(([^)]*)\)', text):
        words = call.split()
        seen, collecting = set(), False
        for word in words[1:]:
            if word.isupper():
                collecting = word == 'ON'
            elif collecting:
                seen.add(word)
        levels[words[0]] = seen
    return levels


def includes_of(root, path):
    """Line numbers and targets of the quoted includes of a file."""
    for number, line in enumerate(read(os.path.join(root, path)).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def sources(root):
    return list(files_of(root, 'src', CODE))


def check_levels(root):
    """Includes are written from src/ and reach only levels that are named for the includer's."""
    levels = levels_of(root)
    for path in sources(root):
        parts = path.split(os.sep)
        level = parts[1] if len(parts) > 2 else None
        if level is not None and level not in levels:
            yield f'{path}: the folder src/{level} is no level of CMakeLists.txt'
            continue
        for number, target in includes_of(root, path):
            other = target.split('/')[0]
            if GENERATED.search(target):
                continue
            if not os.path.exists(os.path.join(root, 'src', target)):
                yield f'{path}:{number}: "{target}" is not a path from src/'
            elif level is not None and other != level and other not in levels[level]:
                yield f'{path}:{number}: level {level} must not include level {other} ("{target}")'


def unit_of(path):
    return os.path.splitext(path)[0]


def graph_of(root, node_of):
    """Edges between nodes, where node_of maps a path from src/ to its node; self-edges are left out."""
    edges = {}
    for path in sources(root):
        inside = os.path.relpath(path, 'src')
        node = node_of(inside)
        targets = edges.setdefault(node, set())
        for _, target in includes_of(root, path):
            if os.path.exists(os.path.join(root, 'src', target)) and node_of(target) != node:
                targets.add(node_of(target))
    return edges


def cycles_in(edges):
    """A cycle for each edge that closes one, as lists of nodes; empty when there is none."""
    state = {}  # absent: not seen; 1: on the path; 2: done
    cycles = []
    for start in sorted(edges):
        if start in state:
            continue
        path, stack = [start], [iter(sorted(edges[start]))]
        state[start] = 1
        while stack:
            following = next(stack[-1], None)
            if following is None:
                state[path.pop()] = 2
                stack.pop()
            elif state.get(following) == 1:
                cycles.append(path[path.index(following):] + [following])
            elif following not in state:
                state[following] = 1
                path.append(following)
                stack.append(iter(sorted(edges.get(following, ()))))
    return cycles


def check_unit_cycles(root):
    return ['cycle of units: ' + ' -> '.join(cycle) for cycle in cycles_in(graph_of(root, unit_of))]


def check_folder_cycles(root):
    return ['cycle of folders: ' + ' -> '.join(cycle) for cycle in cycles_in(graph_of(root, os.path.dirname))]


def check_length(root):
    for folder in ('src', 'tests', 'scripts', 'cmake'):
        for path in files_of(root, folder):
            count = read(os.path.join(root, path)).count('\n')
            if count > LINES_MAX:
                yield f'{path}: {count} lines, more than {LINES_MAX}'


def find_words(root, pattern, complaint):
    for path in files_of(root):
        for number, line in enumerate(read(os.path.join(root, path)).splitlines(), 1):
            match = pattern.search(line)
            if match:
                yield f'{path}:{number}: {complaint} "{match.group(0)}"'


def check_marks(root):
    return find_words(root, re.compile(r'\b(' + '|'.join(MARKS) + r')\b'), 'unfinished work is marked')


def check_foreign_words(root):
    return find_words(root, re.compile('|'.join(FOREIGN), re.IGNORECASE), 'a word that does not belong here')


def check_first_comment(root):
    """The first line of a header says what the unit owns."""
    for path in sources(root):
        if path.endswith('.h') and not read(os.path.join(root, path)).startswith('// '):
            yield f'{path}: the first line is not a comment that says what the file owns'


def check_fuzz_seeds(root):
    """Each fuzz target starts from seeds of its own, and no seeds lie where no target looks for them."""
    folder = os.path.join(root, 'tests', 'fuzz')
    if not os.path.isdir(folder):
        return
    targets = {name.removesuffix('_fuzz.cc') for name in os.listdir(folder) if name.endswith('_fuzz.cc')}
    corpus = os.path.join(folder, 'corpus')
    seeded = {name for name in os.listdir(corpus) if os.listdir(os.path.join(corpus, name))} if os.path.isdir(
        corpus) else set()
    for name in sorted(targets - seeded):
        yield f'tests/fuzz/{name}_fuzz.cc: no seeds in tests/fuzz/corpus/{name}'
    for name in sorted(seeded - targets):
        yield f'tests/fuzz/corpus/{name}: seeds of no target'


RULES = (check_levels, check_unit_cycles, check_folder_cycles, check_length, check_marks, check_foreign_words,
         check_first_comment, check_fuzz_seeds)


def check(root):
    return [finding for rule in RULES for finding in rule(root)]
