# Faults of a primary under Patroni. Each function causes one in a healthy cluster, and returns a remark for the table or None.
import time

from clients import Measurement
from processes import wait_until
from servers import status

SETTLED_FOR = 5    # seconds of normal load before and after


def new_primary(cluster, old):
    def found():
        for node in cluster.nodes:
            if node is not old:
                try:
                    if node.is_primary():
                        return node
                except Exception:
                    continue
    return wait_until(found, 'new primary', 90)


def switchover(cluster, clients):
    cluster.switch_over()


def killed(cluster, clients):
    old = cluster.primary()
    old.kill_postgres()
    new_primary(cluster, old)


def killed_and_restarted(cluster, clients):
    """With a long primary_start_timeout Patroni restarts the crashed primary in place."""
    old = cluster.primary()
    cluster.configure({'primary_start_timeout': 300})
    time.sleep(6)    # Patroni applies a new configuration within loop_wait
    old.kill_postgres()
    wait_until(old.is_primary, 'primary again in place', 90)
    cluster.configure({'primary_start_timeout': 0})


def node_killed(cluster, clients):
    """Kills PostgreSQL and Patroni at the same time, as when the machine is lost."""
    old = cluster.primary()
    old.kill_patroni()
    old.kill_postgres()
    new_primary(cluster, old)
    old.start()


def frozen(cluster, clients):
    """Suspends all processes of the node for longer than the ttl."""
    old = cluster.primary()
    taker = next(client for client in clients.takers if client.client == old.name)
    old.freeze()
    new_primary(cluster, old)
    time.sleep(10)
    before = len(taker.commits)
    old.thaw()
    cluster.settle()
    return f'the old primary committed {len(taker.commits) - before} rows after it was resumed'


def two_primaries(cluster, clients, seconds=150):
    """Kills Patroni alone. Its PostgreSQL keeps running as a second primary until Patroni is started again."""
    old = cluster.primary()
    old.kill_patroni()
    new = new_primary(cluster, old)
    time.sleep(15)
    statuses = f'after 15 s the old one reports: {status(old.dsn)}; the new one: {status(new.dsn)}'
    time.sleep(seconds - 15)
    assert old.is_primary() and new.is_primary()
    old.start()
    return f'two primaries for {seconds} s; {statuses}'


def while_silent(store, scenario):
    """The scenario, with the store suspended from when all standbys are ready until the new primary issues ids."""
    def run_it(cluster, clients):
        old = cluster.primary()
        standbys = [node for node in cluster.nodes if node is not old]
        wait_until(lambda: all(status(node.dsn).startswith('ready') for node in standbys), 'ready standbys', 90)
        store.suspend()
        try:
            scenario(cluster, clients)
            new = new_primary(cluster, old)
            taker = next(client for client in clients.takers if client.client == new.name)
            now = time.monotonic()
            wait_until(lambda: taker.commits and taker.commits[-1] > now, 'id of the new primary while the store is silent')
        finally:
            store.resume()
    return run_it


def measured(cluster, clients, scenario):
    """Runs a scenario with normal load before and after it."""
    cluster.settle()
    time.sleep(SETTLED_FOR)
    measurement = Measurement(clients)
    remark = scenario(cluster, clients) or ''
    cluster.settle()
    clients.wait_for_ids()
    time.sleep(SETTLED_FOR)
    return {**measurement.finish(), 'remark': remark}
