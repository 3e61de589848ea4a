# Two servers that both accept writes and replicate them to each other with pglogical: conflicts and lost rows.
import time

from clients import Clients
from processes import wait_until
from servers import Server
from stores import Redis

TABLES = '''
CREATE TABLE with_id (id bigint PRIMARY KEY DEFAULT idgen_next(), client text);
CREATE TABLE without_id (n bigint GENERATED ALWAYS AS IDENTITY, client text);
'''
SETTINGS = {'shared_preload_libraries': 'pglogical,idgen', 'wal_level': 'logical', 'track_commit_timestamp': 'on',
            'pglogical.conflict_resolution': 'last_update_wins'}


def trust_output_plugin(server):
    """Newer minor releases of PostgreSQL only load listed plugins."""
    if server.sql("SELECT 1 FROM pg_settings WHERE name = 'output_plugin_libraries'"):
        server.sql("ALTER SYSTEM SET output_plugin_libraries = pgoutput, pglogical_output")
        server.sql('SELECT pg_reload_conf()')


class Pair:
    def __init__(self, folder, settings_of):
        self.servers = []
        for n in 1, 2:
            server = Server(f'{folder}/server{n}', {**SETTINGS, **settings_of(n)}).make()
            trust_output_plugin(server)
            server.sql('CREATE EXTENSION pglogical')
            server.sql('CREATE EXTENSION idgen')
            server.sql(TABLES)
            server.sql('SELECT pglogical.create_node(%s, %s)', f'server{n}', server.dsn)
            server.sql("SELECT pglogical.replication_set_add_table('default', 'with_id')")
            server.sql("SELECT idgen_guard('with_id')")
            self.servers.append(server)
        for server, other in zip(self.servers, reversed(self.servers)):
            server.sql("SELECT pglogical.create_subscription('from_other', %s, synchronize_data := false, "
                       "forward_origins := '{}')", other.dsn)
        for server in self.servers:
            wait_until(lambda: server.sql("SELECT status = 'replicating' FROM pglogical.show_subscription_status()")[0][0],
                       'replication')

    def caught_up(self):
        return len({tuple(server.sql('SELECT count(*), sum(id) FROM with_id')) for server in self.servers}) == 1

    def conflicts(self):
        return sum(server.log().count('CONFLICT: remote') for server in self.servers)

    def rows(self, server):
        return set(server.sql('SELECT id, client FROM with_id'))

    def stop(self):
        for server in self.servers:
            server.stop()


def run_one(folder, name, settings_of, declare_new=False):
    """Writes to both servers for 20 s; the second one crashes and is restarted after 10 s."""
    pair = Pair(folder, settings_of)
    if declare_new:
        wait_until(lambda: pair.servers[0].sql('SELECT idgen_declare_new_prefix()'), 'declaration of the new prefix')
    for server in pair.servers:
        server.sql("SELECT idgen_wait_ready('1 min')")
    clients = Clients({f'server{n}': server.dsn for n, server in enumerate(pair.servers, 1)}, f'{folder}/ids')
    clients.wait_for_ids()
    time.sleep(10)
    pair.servers[1].stop('immediate')
    pair.servers[1].start()
    time.sleep(10)
    clients.stop()
    # If an apply worker dies while pglogical's manager is busy, the manager starts it again after 180 s.
    wait_until(pair.caught_up, 'agreement of both servers', seconds=240)
    committed = {(id, client.client) for client in clients.takers for id in client.committed}
    lost = len(committed - pair.rows(pair.servers[0]))
    conflicts = pair.conflicts()
    status = pair.servers[0].status()
    pair.stop()
    row = {'worker ids': name, 'ids issued': f'{clients.ledger.issued:,}', 'duplicates': f'{clients.ledger.duplicates:,}',
           'conflicts': conflicts, 'committed rows lost': lost, 'status of the first server': status}
    print(row, flush=True)
    return row


def both_ways(folder):
    redis = Redis(f'{folder}/redis')
    lease = {'idgen.worker_source': 'lease', 'idgen.lease_store': redis.url}
    rows = [run_one(f'{folder}/static', 'static, different', lambda n: {'idgen.worker_id': n}),
            run_one(f'{folder}/lease', 'leased', lambda n: lease, declare_new=True)]
    redis.stop()
    return rows


def twins(folder):
    """What not to do."""
    redis = Redis(f'{folder}/redis')
    twin = {'idgen.worker_id': 1}
    rows = [run_one(f'{folder}/guard', 'static, the same', lambda n: twin),
            run_one(f'{folder}/store', '... and a store is configured', lambda n: {**twin, 'idgen.lease_store': redis.url})]
    redis.stop()
    return rows
