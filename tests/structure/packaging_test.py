"""The units in packaging/systemd: systemd takes every line, and lifeboat knows what they call."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = '/usr/local/bin/lifeboat'


def units():
    return sorted(glob.glob(os.path.join(PROJECT, 'packaging/systemd/*')))


def text_of(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def complaints_of(paths):
    """What systemd says of copies that call a program which is there."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, 'lifeboat')
        shutil.copy('/bin/true', program)
        copies = []
        for path in paths:
            copies.append(os.path.join(folder, os.path.basename(path)))
            with open(copies[-1], 'w', encoding='utf-8') as file:
                file.write(text_of(path).replace(PROGRAM, program))
        done = subprocess.run(['systemd-analyze', 'verify', '--man=no', *copies], capture_output=True, text=True,
                              check=False)
    # It looks at units of the system that ours name, too.
    return [line for line in done.stderr.splitlines() if 'lifeboat' in line]


class Units(unittest.TestCase):
    @unittest.skipUnless(shutil.which('systemd-analyze'), 'systemd is not here')
    def test_systemd_takes_every_line(self):
        self.assertEqual(complaints_of(units()), [])

    @unittest.skipUnless(shutil.which('systemd-analyze'), 'systemd is not here')
    def test_a_bad_line_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = os.path.join(folder, 'lifeboat-bad.service')
            with open(bad, 'w', encoding='utf-8') as file:
                file.write(f'[Service]\nType=oneshot\nExecStart={PROGRAM}\nProtectSystems=strict\n')
            self.assertNotEqual(complaints_of([bad]), [])

    def test_each_calls_a_command_and_flags_that_there_are(self):
        reference = text_of(os.path.join(PROJECT, 'docs/cli.md'))
        calls = [call for path in units() for call in re.findall(rf'^ExecStart={PROGRAM} (.+)$', text_of(path), re.M)]
        self.assertEqual(len(calls), 2)
        for call in calls:
            command = call.split(' --')[0]
            self.assertIn(f'\n## lifeboat {command}\n', reference)
            for flag in re.findall(r'--[a-z-]+', call):
                self.assertIn(f'`{flag} ', reference)

    def test_no_exit_code_of_failure_counts_as_success(self):
        for path in units():
            self.assertNotIn('SuccessExitStatus', text_of(path), path)

    def test_a_timer_has_its_service(self):
        for path in units():
            if path.endswith('.timer'):
                self.assertTrue(os.path.exists(path.removesuffix('.timer') + '.service'), path)


if __name__ == '__main__':
    unittest.main()
