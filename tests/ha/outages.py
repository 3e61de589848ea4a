# Outages of the lease store: the time without ids on a server that keeps running, and on one that is restarted meanwhile.
import signal
import time

from clients import TABLES, Clients, Measurement
from processes import wait_until
from servers import Server
from stores import Etcd, Redis, WatchedRedis

SETTLED_FOR = 5


class Leased:
    """One server that leases its worker id from `store`, and its clients."""

    def __init__(self, folder, store, settings):
        self.server = Server(f'{folder}/server', {
            'idgen.worker_source': 'lease', 'idgen.lease_store': store.url, **settings}).make()
        self.server.sql('CREATE EXTENSION idgen')
        if store.waits_for_declaration:
            wait_until(lambda: self.server.sql('SELECT idgen_declare_new_prefix()'), 'declaration of the new prefix')
        self.server.sql(TABLES)
        self.clients = Clients({'server': self.server.dsn}, f'{folder}/ids')
        self.clients.wait_for_ids()

    def measure(self, outage):
        time.sleep(SETTLED_FOR)
        measurement = Measurement(self.clients)
        outage()
        self.clients.wait_for_ids()
        time.sleep(SETTLED_FOR)
        return measurement.finish()

    def stop(self):
        self.clients.stop()
        self.server.stop()


def silent(redis, seconds):
    """Suspends Redis, which loses nothing."""
    redis.suspend()
    time.sleep(seconds)
    redis.resume()


def down(redis, seconds):
    """Kills Redis, and starts it later with the data in its append-only file."""
    redis.kill()
    time.sleep(seconds)
    redis.start()


def one_redis(folder):
    rows = []

    def run_one(name, outage, seconds, settings):
        here = f'{folder}/{len(rows)}'
        redis = Redis(f'{here}/redis')
        leased = Leased(here, redis, settings)
        rows.append({'scenario': f'{name}: {seconds} s', **leased.measure(lambda: outage(redis, seconds))})
        print(rows[-1], flush=True)
        leased.stop()
        redis.stop()

    for seconds in 10, 30, 60:
        run_one('Redis silent', silent, seconds, {})
    for seconds in 10, 30, 60:
        run_one('Redis down, then started again', down, seconds, {})
    run_one('... with idgen.lease_store_durable', down, 60, {'idgen.lease_store_durable': 'on'})
    return rows


def replicated(folder):
    rows = []
    for replicas in 1, 2:
        here = f'{folder}/{replicas}'
        redis = WatchedRedis(f'{here}/redis')
        leased = Leased(here, redis, {'idgen.redis_replicas': replicas})

        def restarted_meanwhile():
            lost = redis.a_replica()
            lost.kill()
            leased.server.stop('immediate')
            leased.server.start()
            time.sleep(40)
            lost.start()

        for name, outage in (('a replica lost for 10 s', lambda: down(redis.a_replica(), 10)),
                             ('a replica lost for 40 s', lambda: down(redis.a_replica(), 40)),
                             ('a replica lost for 40 s, PostgreSQL crashes meanwhile', restarted_meanwhile),
                             ('the master lost for 40 s', lambda: down(redis.master(), 40))):
            rows.append({'scenario': f'redis_replicas = {replicas}: {name}', **leased.measure(outage)})
            print(rows[-1], flush=True)
        leased.stop()
        redis.stop()
    return rows


def etcd(folder):
    """Three members, of which some are lost for a time: the leader, or a majority."""
    store = Etcd(f'{folder}/etcd', members=3)
    leased = Leased(folder, store, {})
    rows = []

    def measure(name, outage):
        rows.append({'scenario': name, **leased.measure(outage)})
        print(rows[-1], flush=True)

    def without_leader(seconds):
        leader = store.leader()
        store.kill([leader])
        time.sleep(seconds)
        store.start([leader])

    def silent_majority(seconds):
        store.signal(store.members[1:], signal.SIGSTOP)
        time.sleep(seconds)
        store.signal(store.members[1:], signal.SIGCONT)

    def all_down(seconds):
        store.kill(store.members)
        time.sleep(seconds)
        store.start(store.members)

    def restarted_meanwhile(seconds):
        leader = store.leader()
        store.kill([leader])
        leased.server.stop('immediate')
        leased.server.start()
        time.sleep(seconds)
        store.start([leader])

    measure('the leader lost for 40 s', lambda: without_leader(40))
    measure('the leader lost for 40 s, PostgreSQL crashes meanwhile', lambda: restarted_meanwhile(40))
    for seconds in 10, 30, 60:
        measure(f'two of three members silent: {seconds} s', lambda: silent_majority(seconds))
    for seconds in 10, 30, 60:
        measure(f'all members down, then started again: {seconds} s', lambda: all_down(seconds))
    leased.stop()
    store.stop()
    return rows
