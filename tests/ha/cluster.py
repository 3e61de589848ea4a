# A Patroni cluster of three nodes with one etcd, and operations on its nodes.
import atexit
import json
import os
import signal
import urllib.request

from processes import Daemon, free_port, signal_all, wait_until
from servers import postgres_processes, sql
from stores import Etcd

# A leader that is silent for this many seconds is replaced.
TTL = 20


class Node:
    """One Patroni and its PostgreSQL. `parameters` apply to this node only."""

    def __init__(self, cluster, number, parameters):
        self.name = f'node{number}'
        self.folder = f'{cluster.folder}/{self.name}'
        os.makedirs(self.folder)
        self.data = f'{self.folder}/data'
        self.port, self.api = free_port(), free_port()
        self.dsn = f'host=127.0.0.1 port={self.port} user=postgres dbname=postgres'
        self.config = f'{self.folder}/patroni.json'    # JSON is valid YAML
        with open(self.config, 'w') as out:
            json.dump(self.settings(cluster, parameters), out, indent=1)
        self.start()
        atexit.register(self.stop)

    def settings(self, cluster, parameters):
        return {
            'scope': 'ha', 'name': self.name,
            'restapi': {'listen': f'127.0.0.1:{self.api}', 'connect_address': f'127.0.0.1:{self.api}'},
            'etcd3': {'host': f'127.0.0.1:{cluster.etcd.port}'},
            'bootstrap': {
                'dcs': {'ttl': TTL, 'loop_wait': 5, 'retry_timeout': 5, 'primary_start_timeout': 0,
                        'postgresql': {'use_pg_rewind': True, 'parameters': cluster.parameters}},
                'initdb': [{'encoding': 'UTF8'}, {'auth': 'trust'}, 'data-checksums'],
                'post_bootstrap': cluster.post_bootstrap},
            'postgresql': {
                'listen': f'127.0.0.1:{self.port}', 'connect_address': f'127.0.0.1:{self.port}',
                'data_dir': self.data, 'basebackup': [{'checkpoint': 'fast'}], 'pgpass': f'{self.folder}/pgpass',
                'authentication': {'superuser': {'username': 'postgres'}, 'replication': {'username': 'postgres'}},
                'pg_hba': ['local all all trust', 'host all all 127.0.0.1/32 trust',
                           'host replication all 127.0.0.1/32 trust'],
                'parameters': {'unix_socket_directories': self.folder, **parameters}},
        }

    def start(self):
        self.patroni = Daemon(f'{self.folder}/log', 'patroni', self.config)

    def ask(self, path, body=None, method=None):
        """Calls Patroni's REST API."""
        request = urllib.request.Request(f'http://127.0.0.1:{self.api}{path}', method=method,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.read().decode()

    def sql(self, statement):
        return sql(self.dsn, statement)

    def is_primary(self):
        return not self.sql('SELECT pg_is_in_recovery()')[0][0]

    def kill_postgres(self):
        signal_all(postgres_processes(self.data), signal.SIGKILL)

    def kill_patroni(self):
        self.patroni.kill()

    def freeze(self):
        self.frozen = [self.patroni.process.pid] + postgres_processes(self.data)
        signal_all(self.frozen, signal.SIGSTOP)

    def thaw(self):
        signal_all(self.frozen, signal.SIGCONT)

    def stop(self):
        self.patroni.stop()    # Patroni stops its PostgreSQL, too
        self.kill_postgres()


class Cluster:
    """`parameters` go to the cluster-wide configuration, `parameters_of(number)` to the node's own file."""

    def __init__(self, folder, parameters, parameters_of, post_bootstrap):
        self.folder, self.post_bootstrap = folder, post_bootstrap
        self.parameters = {'shared_preload_libraries': 'idgen', 'shared_buffers': '32MB', **parameters}
        self.etcd = Etcd(f'{folder}/etcd')
        # The first node starts alone, so that it bootstraps the cluster.
        self.nodes = [Node(self, 1, parameters_of(1))]
        wait_until(lambda: self.nodes[0].is_primary(), 'first primary')
        self.nodes += [Node(self, n, parameters_of(n)) for n in (2, 3)]
        self.settle()

    def members(self):
        def asked(node):
            return json.loads(node.ask('/cluster'))['members']
        for node in self.nodes:
            try:
                return asked(node)
            except OSError:
                continue
        raise RuntimeError('no Patroni answers')

    def settle(self):
        """Waits until there is one leader and both others follow it."""
        def settled():
            members = self.members()
            leaders = [m['name'] for m in members if m['role'] == 'leader' and m['state'] == 'running']
            following = [m for m in members if m['role'] == 'replica' and m['state'] in ('running', 'streaming')]
            timelines = {m.get('timeline') for m in members}
            return len(members) == 3 and len(leaders) == 1 and len(following) == 2 and len(timelines) == 1 and \
                self.node(leaders[0]).is_primary() and \
                self.node(leaders[0]).sql('SELECT count(*) = 2 FROM pg_stat_replication')[0][0]
        wait_until(settled, 'settled cluster', 120)

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def primary(self):
        return next(node for node in self.nodes if node.is_primary())

    def switch_over(self):
        old = self.primary()
        new = next(node for node in self.nodes if node is not old)
        old.ask('/switchover', {'leader': old.name, 'candidate': new.name})

    def configure(self, change):
        self.nodes[0].ask('/config', change, 'PATCH')

    def stop(self):
        for node in self.nodes:
            node.stop()
        self.etcd.stop()
