# The stores of a run: etcd for Patroni, and Redis for leases, alone or with replicas and Sentinels.
import os
import urllib.request

from processes import Daemon, free_port, run, wait_until


class Etcd:
    def __init__(self, folder):
        os.makedirs(folder)
        self.port = free_port()
        client, peer = f'http://127.0.0.1:{self.port}', f'http://127.0.0.1:{free_port()}'
        self.daemon = Daemon(f'{folder}/log', 'etcd', '--data-dir', f'{folder}/data', '--name', 'one',
                             '--listen-client-urls', client, '--advertise-client-urls', client,
                             '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
                             '--initial-cluster', f'one={peer}')
        wait_until(lambda: urllib.request.urlopen(f'{client}/health', timeout=1).status == 200, 'etcd')

    def stop(self):
        self.daemon.stop()


class Redis:
    """One Redis server. After a kill it starts with everything that it had acknowledged."""

    def __init__(self, folder, replica_of=None):
        os.makedirs(folder)
        self.folder, self.port, self.replica_of = folder, free_port(), replica_of
        self.url = f'redis://127.0.0.1:{self.port}'
        self.start()

    def start(self):
        following = ['--replicaof', '127.0.0.1', str(self.replica_of.port)] if self.replica_of else []
        self.daemon = Daemon(f'{self.folder}/log', 'redis-server', '--port', str(self.port), '--bind', '127.0.0.1',
                             '--dir', self.folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always',
                             '--repl-diskless-sync-delay', '0', *following)
        wait_until(lambda: self.cli('ping').strip() == 'PONG', 'Redis')

    def cli(self, *words):
        return run('redis-cli', '-p', str(self.port), *words)

    def kill(self):
        self.daemon.kill()

    def signal(self, number):
        self.daemon.signal(number)

    def stop(self):
        self.daemon.stop()


class WatchedRedis:
    """A Redis with two replicas, and three Sentinels with a quorum of two."""

    def __init__(self, folder):
        os.makedirs(folder)
        master = Redis(f'{folder}/0')
        self.redises = [master] + [Redis(f'{folder}/{n}', replica_of=master) for n in (1, 2)]
        self.sentinel_ports = [free_port() for _ in range(3)]
        self.sentinels = []
        for n, port in enumerate(self.sentinel_ports):
            conf = f'{folder}/sentinel{n}.conf'
            with open(conf, 'w') as out:
                out.write(f'port {port}\nbind 127.0.0.1\nsentinel monitor ids 127.0.0.1 {master.port} 2\n'
                          'sentinel down-after-milliseconds ids 1000\nsentinel failover-timeout ids 10000\n')
            self.sentinels.append(Daemon(f'{folder}/sentinel{n}.log', 'redis-sentinel', conf))
        self.url = 'redis+sentinel://' + ','.join(f'127.0.0.1:{port}' for port in self.sentinel_ports) + '/ids'
        wait_until(lambda: all(self.sees_all(port) for port in self.sentinel_ports), 'Sentinels that see each other')

    def sees_all(self, port):
        words = run('redis-cli', '-p', str(port), 'sentinel', 'master', 'ids').split()
        seen = dict(zip(words[::2], words[1::2]))
        return seen.get('num-slaves') == '2' and seen.get('num-other-sentinels') == '2'

    def master(self):
        words = run('redis-cli', '-p', str(self.sentinel_ports[0]), 'sentinel', 'get-master-addr-by-name', 'ids').split()
        return next(redis for redis in self.redises if redis.port == int(words[1]))

    def a_replica(self):
        master = self.master()
        return next(redis for redis in self.redises if redis is not master)

    def stop(self):
        for daemon in self.sentinels + self.redises:
            daemon.stop()
