# Clients of a set of servers, and the ledger of all ids that they got. Each server has two clients: one inserts with idgen, and
# records each id before its transaction commits; the other inserts without idgen, which distinguishes a server that is down from
# one that waits for ids.
import threading
import time

import psycopg2

from processes import wait_until

TABLES = '''
CREATE TABLE IF NOT EXISTS with_id (id bigint DEFAULT idgen_next(), client text);
CREATE TABLE IF NOT EXISTS without_id (n bigint GENERATED ALWAYS AS IDENTITY, client text);
'''


class Ledger:
    """Every id that a client got, even if the commit failed or its outcome is unknown."""

    def __init__(self, path):
        self.file, self.lock = open(path, 'w'), threading.Lock()
        self.seen, self.issued, self.duplicates = set(), 0, 0

    def write(self, client, id):
        with self.lock:
            self.file.write(f'{time.time():.3f} {client} {id}\n')
            self.file.flush()
            self.issued += 1
            self.duplicates += id in self.seen
            self.seen.add(id)


class Client(threading.Thread):
    def __init__(self, name, dsn, statement, ledger=None):
        super().__init__(daemon=True)
        self.client, self.dsn, self.statement, self.ledger = name, dsn, statement, ledger
        self.commits, self.committed = [], []    # times and ids
        self.ending, self.connection = threading.Event(), None

    def run(self):
        while not self.ending.is_set():
            try:
                self.insert()
            except psycopg2.Error:    # a standby, or a server that is down or has no ids
                self.roll_back()
                self.ending.wait(0.1)
            else:
                self.commits.append(time.monotonic())
                self.ending.wait(0.004)
        self.hang_up()

    def insert(self):
        if self.connection is None:
            self.connection = psycopg2.connect(self.dsn, connect_timeout=2)
        id = None
        with self.connection.cursor() as cursor:
            cursor.execute(self.statement, (self.client,))
            if self.ledger:
                id = cursor.fetchone()[0]
                self.ledger.write(self.client, id)
        self.connection.commit()
        self.committed.append(id)

    def roll_back(self):
        try:
            if self.connection is not None:
                self.connection.rollback()
        except psycopg2.Error:
            self.hang_up()

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Clients:
    """Two clients for each server in {name: dsn}."""

    def __init__(self, servers, ledger_path):
        self.ledger = Ledger(ledger_path)
        self.takers = [Client(name, dsn, 'INSERT INTO with_id (client) VALUES (%s) RETURNING id', self.ledger)
                       for name, dsn in servers.items()]
        self.others = [Client(name, dsn, 'INSERT INTO without_id (client) VALUES (%s)') for name, dsn in servers.items()]
        for client in self.takers + self.others:
            client.start()

    def wait_for_ids(self):
        """Waits for an id that is committed after this call."""
        now = time.monotonic()
        wait_until(lambda: any(client.commits and client.commits[-1] > now for client in self.takers), 'id', 180)

    def stop(self):
        for client in self.takers + self.others:
            client.ending.set()
        for client in self.takers + self.others:
            client.join(10)


def longest_gap(clients, begin, end):
    """The longest time in which none of the clients committed."""
    times = sorted(t for client in clients for t in client.commits[:] if begin <= t <= end)
    edges = [begin] + times + [end]
    return max(later - earlier for earlier, later in zip(edges, edges[1:]))


class Measurement:
    """Ids, duplicates and gaps between its start and its end, as columns of a table."""

    def __init__(self, clients):
        self.clients, self.begin = clients, time.monotonic()
        self.issued, self.duplicates = clients.ledger.issued, clients.ledger.duplicates

    def finish(self):
        end = time.monotonic()
        ledger = self.clients.ledger
        return {'ids issued': f'{ledger.issued - self.issued:,}', 'duplicates': f'{ledger.duplicates - self.duplicates:,}',
                'longest without PostgreSQL': f'{longest_gap(self.clients.others, self.begin, end):.1f} s',
                'longest without ids': f'{longest_gap(self.clients.takers, self.begin, end):.1f} s'}
