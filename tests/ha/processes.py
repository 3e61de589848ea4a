# Programs that a run starts and ends by their process ids, also when the run fails. Nothing here depends on the program.
import atexit
import os
import random
import signal
import socket
import subprocess
import time


def free_port(given=set()):
    """A port that was not given before, outside the range from which the system takes those of outgoing connections."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port


def wait_until(condition, what, seconds=60):
    """Polls until the condition is true, and returns its value. An exception counts as false."""
    deadline = time.monotonic() + seconds
    while True:
        problem = None
        try:
            result = condition()
            if result:
                return result
        except Exception as e:
            problem = e
        if time.monotonic() > deadline:
            raise TimeoutError(f'no {what} within {seconds} s' + (f': {problem}' if problem else ''))
        time.sleep(0.1)


def run(*command):
    """Runs a program and returns its output, which is shown if the program fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{" ".join(command)} failed:\n{done.stdout}')
    return done.stdout


class Daemon:
    """A program that keeps running, with its output in a log."""

    def __init__(self, log, *command):
        with open(log, 'a') as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        atexit.register(self.stop)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=30):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


def children_of(pid):
    """The process ids of a process's children, from /proc."""
    found = []
    for entry in os.listdir('/proc'):
        try:
            with open(f'/proc/{int(entry)}/stat') as stat:
                parent = int(stat.read().rpartition(')')[2].split()[1])
        except (ValueError, OSError):
            continue
        if parent == pid:
            found.append(int(entry))
    return found


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
