"""The tree keeps its rules, and each rule finds the bad tree that it is there for."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import structure  # noqa: E402

PROJECT = os.path.dirname(os.path.dirname(HERE))
GOOD = {
    'CMakeLists.txt': '# lifeboat_level(not this)\nlifeboat_level(low USES fmt::fmt)\n'
                      'lifeboat_level(middle ON low)\nlifeboat_level(top ON low\n   middle USES PRIVATE other)\n',
    'src/low/a.h': '// A.\n',
    'src/low/a.cc': '#include "low/a.h"\n#include <vector>\n',
    'src/middle/b.h': '// B.\n#include "low/a.h"\n',
    'src/top/c.cc': '// C.\n#include "middle/b.h"\n#include "api.pb.h"\n',
    'src/main.cc': '// Main.\n#include "middle/b.h"\n',
}


class BadTrees(unittest.TestCase):
    def findings(self, **changes):
        with tempfile.TemporaryDirectory() as root:
            for path, text in (GOOD | changes.get('files', {})).items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, 'w', encoding='utf-8') as file:
                    file.write(text)
            return structure.check(root)

    def assert_finds(self, what, files):
        findings = self.findings(files=files)
        self.assertTrue(any(what in finding for finding in findings), findings)

    def test_a_good_tree_passes(self):
        self.assertEqual(self.findings(), [])

    def test_an_upward_include_is_found(self):
        self.assert_finds('src/low/a.h:2: level low must not include level top',
                          {'src/low/a.h': '// A.\n#include "top/d.h"\n', 'src/top/d.h': '// D.\n'})

    def test_a_level_that_is_not_named_is_found(self):
        self.assert_finds('level side must not include level low',
                          {'CMakeLists.txt': GOOD['CMakeLists.txt'] + 'lifeboat_level(side)\n',
                           'src/side/s.h': '// S.\n#include "low/a.h"\n'})

    def test_a_folder_that_is_no_level_is_found(self):
        self.assert_finds('src/wild is no level', {'src/wild/w.h': '// W.\n'})

    def test_an_include_that_is_not_written_from_src_is_found(self):
        self.assert_finds('"a.h" is not a path from src/', {'src/low/e.h': '// E.\n#include "a.h"\n'})

    def test_a_cycle_of_units_through_a_source_file_is_found(self):
        self.assert_finds('cycle of units: low/x -> low/y -> low/x',
                          {'src/low/x.h': '// X.\n#include "low/y.h"\n', 'src/low/y.h': '// Y.\n',
                           'src/low/y.cc': '#include "low/x.h"\n'})

    def test_a_cycle_of_folders_without_one_of_units_is_found(self):
        self.assert_finds('cycle of folders: low/p -> low/q -> low/p',
                          {'src/low/p/one.h': '// O.\n#include "low/q/two.h"\n', 'src/low/q/two.h': '// T.\n',
                           'src/low/q/three.h': '// T.\n#include "low/p/four.h"\n', 'src/low/p/four.h': '// F.\n'})

    def test_a_file_that_is_too_long_is_found(self):
        self.assert_finds('701 lines', {'src/low/a.h': '// A.\n' * 701})

    def test_marks_of_unfinished_work_are_found(self):
        for mark in structure.MARKS:
            self.assert_finds('scripts/x.sh:1', {'scripts/x.sh': f'# {mark}: later\n'})

    def test_foreign_words_are_found_in_any_case(self):
        for word in structure.FOREIGN:
            self.assert_finds('README.md:2', {'README.md': f'# Title\nby {word.upper()} itself\n'})

    def test_a_file_without_a_first_comment_is_found(self):
        self.assert_finds('src/low/z.h: the first line', {'src/low/z.h': '#pragma once\n'})

    def test_a_fuzz_target_without_seeds_is_found_and_seeds_without_a_target(self):
        files = {'tests/fuzz/frame_fuzz.cc': '\n', 'tests/fuzz/corpus/frame_fuzz/one': 'x'}
        self.assert_finds('tests/fuzz/frame_fuzz.cc: no seeds in tests/fuzz/corpus/frame', files)
        self.assert_finds('tests/fuzz/corpus/frame_fuzz: seeds of no target', files)
        self.assertEqual(self.findings(files={'tests/fuzz/frame_fuzz.cc': '\n', 'tests/fuzz/corpus/frame/one': 'x'}),
                         [])


class Project(unittest.TestCase):
    def test_the_levels_are_read_from_the_build_file(self):
        levels = structure.levels_of(PROJECT)
        self.assertIn('base', levels['format'])
        self.assertNotIn('io', levels['format'])
        self.assertNotIn('source', levels['repository'])

    def test_the_tree_keeps_every_rule(self):
        findings = structure.check(PROJECT)
        self.assertEqual(findings, [], '\n' + '\n'.join(findings))


if __name__ == '__main__':
    unittest.main()
