# Failovers under Patroni: with a static worker id per node, with leased worker ids, and with the same one on all nodes.
import os

import failovers
from cluster import Cluster
from clients import TABLES, Clients
from stores import Etcd, Redis

ORDINARY = [('switchover', failovers.switchover, 3),
            ('kill -9 of the primary', failovers.killed, 3),
            ('kill -9 of the primary, restarted in place', failovers.killed_and_restarted, 1),
            ('kill -9 of the primary and its Patroni', failovers.node_killed, 1),
            ('frozen primary', failovers.frozen, 1),
            ('dead Patroni, two running primaries', failovers.two_primaries, 1)]
TWO_PRIMARIES = ORDINARY[-1:]


def per_node(folder):
    """The node's own setting overrides the cluster-wide one; otherwise two running primaries would issue the same ids."""
    return run_one(folder, ORDINARY, {'idgen.worker_id': 0}, lambda n: {'idgen.worker_id': n}, 'CREATE EXTENSION idgen')


def leased(folder):
    redis = Redis(f'{folder}/redis')
    try:
        return run_one(folder, ORDINARY, {'idgen.worker_source': 'lease', 'idgen.lease_store': redis.url}, lambda n: {},
                       'CREATE EXTENSION idgen', 'SELECT idgen_declare_new_prefix()')
    finally:
        redis.stop()


def on_standby(folder):
    """Standbys hold worker ids in advance, so that a promotion does not need the store."""
    rows = []
    for store_class in Redis, Etcd:
        here = f'{folder}/{store_class.__name__.lower()}'
        store = store_class(f'{here}/store')
        scenarios = [('switchover', failovers.while_silent(store, failovers.switchover), 2),
                     ('kill -9 of the primary', failovers.while_silent(store, failovers.killed), 2)]
        declaration = ['SELECT idgen_declare_new_prefix()'] if store.waits_for_declaration else []
        try:
            rows += [{'store': store_class.__name__, **row} for row in run_one(
                here, scenarios, {'idgen.worker_source': 'lease', 'idgen.lease_store': store.url, 'idgen.lease_on_standby': 'on'},
                lambda n: {}, 'CREATE EXTENSION idgen', *declaration)]
        finally:
            store.stop()
    return rows


def twins(folder):
    """What not to do: one static worker id for the whole cluster. A store is configured, so that the servers can report it."""
    redis = Redis(f'{folder}/redis')
    try:
        return run_one(folder, TWO_PRIMARIES, {'idgen.worker_id': 1, 'idgen.lease_store': redis.url}, lambda n: {},
                       'CREATE EXTENSION idgen')
    finally:
        redis.stop()


def run_one(folder, scenarios, parameters, parameters_of, *bootstrap):
    script = f'{folder}/post_bootstrap'
    with open(script, 'w') as out:
        out.write('#!/bin/sh\nexec psql -X -v ON_ERROR_STOP=1 -d "$1" ' + ' '.join(f"-c '{sql}'" for sql in bootstrap) + '\n')
    os.chmod(script, 0o755)
    cluster = Cluster(folder, parameters, parameters_of, script)
    clients = None
    try:
        cluster.primary().sql(TABLES)
        clients = Clients({node.name: node.dsn for node in cluster.nodes}, f'{folder}/ids')
        rows = []
        for name, scenario, times in scenarios:
            for n in range(times):
                rows.append({'scenario': f'{name} ({n + 1})' if times > 1 else name,
                             **failovers.measured(cluster, clients, scenario)})
                print(rows[-1], flush=True)
        return rows
    finally:
        if clients:
            clients.stop()
        cluster.stop()
