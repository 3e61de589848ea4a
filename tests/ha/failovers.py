# What happens to a primary under Patroni: each function does one thing to a settled cluster, and returns when the
# consequences are over, with a remark for the table or ''.
import time

from clients import Measurement
from processes import wait_until
from servers import status

SETTLED_FOR = 5    # seconds of ordinary work before and after


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
    """primary_start_timeout is long: Patroni starts the crashed primary again in place."""
    old = cluster.primary()
    cluster.configure({'primary_start_timeout': 300})
    time.sleep(6)    # a Patroni takes a new configuration over within loop_wait
    old.kill_postgres()
    wait_until(old.is_primary, 'primary again in place', 90)
    cluster.configure({'primary_start_timeout': 0})


def node_killed(cluster, clients):
    """PostgreSQL and Patroni are killed at once, as when the machine is lost."""
    old = cluster.primary()
    old.kill_patroni()
    old.kill_postgres()
    new_primary(cluster, old)
    old.start()


def frozen(cluster, clients):
    """All processes of the node stand still for longer than the ttl, and then go on."""
    old = cluster.primary()
    taker = next(client for client in clients.takers if client.client == old.name)
    old.freeze()
    new_primary(cluster, old)
    time.sleep(10)
    before = len(taker.commits)
    old.thaw()
    cluster.settle()
    return f'the old primary committed {len(taker.commits) - before} rows after it woke up'


def two_primaries(cluster, clients, seconds=150):
    """Patroni alone is killed. Nobody stops its PostgreSQL, which goes on as a second primary until Patroni is back."""
    old = cluster.primary()
    old.kill_patroni()
    new = new_primary(cluster, old)
    time.sleep(15)
    said = f'after 15 s the old one says: {status(old.dsn)}; the new one: {status(new.dsn)}'
    time.sleep(seconds - 15)
    assert old.is_primary() and new.is_primary()
    old.start()
    return f'two primaries for {seconds} s; {said}'


def measured(cluster, clients, scenario):
    """Runs a scenario with ordinary work before and after it."""
    cluster.settle()
    time.sleep(SETTLED_FOR)
    measurement = Measurement(clients)
    remark = scenario(cluster, clients) or ''
    cluster.settle()
    clients.wait_for_ids()
    time.sleep(SETTLED_FOR)
    return {**measurement.finish(), 'remark': remark}
