# A PostgreSQL server that a run starts, without a failover manager.
import atexit
import os
import signal

import psycopg2

from processes import children_of, free_port, run, signal_all


def sql(dsn, statement, *values):
    """Runs one statement in a connection of its own, and returns its rows."""
    connection = psycopg2.connect(dsn, connect_timeout=2)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def status(dsn):
    """The prose of idgen_status() in one line."""
    state, reason, advice = sql(dsn, 'SELECT state, reason, advice FROM idgen_status()')[0]
    return f'{state}: {reason or ""} {advice or ""}'.rstrip(' :')


def postgres_processes(data):
    """The processes of the server in this data directory: none if it is not running, even if there is an old postmaster.pid."""
    try:
        with open(f'{data}/postmaster.pid') as file:
            postmaster = int(file.readline())
        if os.readlink(f'/proc/{postmaster}/cwd') != data:
            return []
    except OSError:
        return []
    return [postmaster] + children_of(postmaster)


class Server:
    """`settings` are lines for postgresql.conf as {name: value}."""

    def __init__(self, folder, settings):
        self.folder, self.data, self.port, self.settings = folder, f'{folder}/data', free_port(), settings
        self.dsn = f'host=127.0.0.1 port={self.port} user=postgres dbname=postgres'
        os.makedirs(folder)
        atexit.register(self.stop, 'immediate')

    def make(self):
        run('initdb', '-D', self.data, '-U', 'postgres', '-A', 'trust', '-k')
        self.configure()
        self.start()
        return self

    def configure(self):
        """Writes the settings to an existing data directory."""
        self.set({'shared_preload_libraries': 'idgen', 'listen_addresses': '127.0.0.1', 'port': self.port,
                  'unix_socket_directories': self.folder, 'shared_buffers': '32MB', **self.settings})

    def set(self, settings):
        with open(f'{self.data}/postgresql.conf', 'a') as out:
            out.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self):
        run('pg_ctl', '-D', self.data, '-l', f'{self.folder}/log', '-w', '-t', '120', 'start')

    def stop(self, mode='fast'):
        if postgres_processes(self.data):
            run('pg_ctl', '-D', self.data, '-m', mode, '-w', 'stop')

    def kill(self):
        signal_all(postgres_processes(self.data), signal.SIGKILL)

    def sql(self, statement, *values):
        return sql(self.dsn, statement, *values)

    def status(self):
        return status(self.dsn)

    def log(self):
        with open(f'{self.folder}/log') as file:
            return file.read()
