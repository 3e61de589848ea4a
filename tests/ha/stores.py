# The stores of a run: etcd for Patroni, and Redis for leases, alone or with replicas and Sentinels.
import json
import os
import signal
import urllib.request

from processes import Daemon, free_port, run, wait_until


class EtcdMember:
    def __init__(self, folder, name):
        self.folder, self.name, self.port = f'{folder}/{name}', name, free_port()
        os.makedirs(self.folder)
        self.client, self.peer = f'http://127.0.0.1:{self.port}', f'http://127.0.0.1:{free_port()}'

    def start(self, cluster):
        self.daemon = Daemon(f'{self.folder}/log', 'etcd', '--data-dir', f'{self.folder}/data', '--name', self.name,
                             '--listen-client-urls', self.client, '--advertise-client-urls', self.client,
                             '--listen-peer-urls', self.peer, '--initial-advertise-peer-urls', self.peer,
                             '--initial-cluster', cluster)

    def is_healthy(self):
        return urllib.request.urlopen(f'{self.client}/health', timeout=1).status == 200

    def leads(self):
        request = urllib.request.Request(f'{self.client}/v3/maintenance/status', b'{}')
        status = json.load(urllib.request.urlopen(request, timeout=1))
        return status['leader'] == status['header']['member_id']


class Etcd:
    """An etcd cluster, by default of one member."""
    waits_for_declaration = False

    def __init__(self, folder, members=1):
        self.members = [EtcdMember(folder, f'm{n}') for n in range(members)]
        self.port = self.members[0].port
        self.url = 'etcd://' + ','.join(f'127.0.0.1:{member.port}' for member in self.members)
        self.start(self.members)

    def start(self, members):
        for member in members:
            member.start(','.join(f'{other.name}={other.peer}' for other in self.members))
        wait_until(lambda: all(member.is_healthy() for member in members), 'etcd')

    def kill(self, members):
        for member in members:
            member.daemon.kill()

    def signal(self, members, number):
        for member in members:
            member.daemon.signal(number)

    def suspend(self):
        self.signal(self.members, signal.SIGSTOP)

    def resume(self):
        self.signal(self.members, signal.SIGCONT)

    def leader(self):
        return wait_until(lambda: next(member for member in self.members if member.leads()), 'leader')

    def stop(self):
        for member in self.members:
            member.daemon.stop()


class Redis:
    """One Redis server. After a kill it starts with everything that it had acknowledged."""
    waits_for_declaration = True

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

    def suspend(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        self.daemon.stop()


class WatchedRedis:
    """A Redis with two replicas, and three Sentinels with a quorum of two."""
    waits_for_declaration = True

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
