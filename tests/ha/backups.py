# Backups that are restored into another directory, in place of the original server or beside it.
import datetime
import time

from backup_tools import Barman, Pgbackrest
from clients import TABLES, Clients
from processes import wait_until
from servers import Server
from stores import Redis


def run_one(folder, name, settings, tool=Pgbackrest, to_a_time=False, beside=False, seconds=10):
    """The original issues ids before and after its backup, then the copy for some seconds; beside: the original does, too."""
    original, copy = Server(f'{folder}/original', settings).make(), Server(f'{folder}/copy', settings)
    original.sql('CREATE EXTENSION idgen')
    if settings.get('idgen.worker_source') == 'lease':
        wait_until(lambda: original.sql('SELECT idgen_declare_new_prefix()'), 'declaration of the new prefix')
    original.sql(TABLES)
    backups = tool(folder, original)
    clients = Clients({'original': original.dsn, 'copy': copy.dsn}, f'{folder}/ids')
    clients.wait_for_ids()
    backups.backup()
    time.sleep(3)
    target = datetime.datetime.now().astimezone().isoformat(' ')
    time.sleep(5)
    original.sql('SELECT pg_switch_wal()')
    if not beside:
        original.stop()
    backups.restore(copy.data, target if to_a_time else None)
    copy.configure()
    copy.set({'archive_mode': 'off'})
    copy.start()
    copy_taker, copy_other = clients.takers[1], clients.others[1]
    wait_until(lambda: copy_taker.commits, 'id from the copy', 180)
    first_state = copy.status()
    time.sleep(seconds)
    clients.stop()
    row = {'scenario': name, 'ids issued': f'{clients.ledger.issued:,}', 'duplicates': f'{clients.ledger.duplicates:,}',
           'first row to first id': f'{copy_taker.commits[0] - copy_other.commits[0]:.1f} s',
           'first status of the copy': first_state, 'last status of the copy': copy.status()}
    if beside:
        row['status of the original'] = original.status()
        original.stop()
    copy.stop()
    backups.stop()
    print(row, flush=True)
    return row


def with_pgbackrest(folder):
    redis = Redis(f'{folder}/redis')
    lease = {'idgen.worker_source': 'lease', 'idgen.lease_store': redis.url}
    static = {'idgen.worker_id': 1}
    rows = [run_one(f'{folder}/static', 'static, restored in place of the original', static),
            run_one(f'{folder}/static-time', '... to a point in time', static, to_a_time=True),
            run_one(f'{folder}/lease', 'leased, restored in place of the original', lease),
            run_one(f'{folder}/lease-time', '... to a point in time', {**lease, 'idgen.lease_prefix': 'second'}, to_a_time=True),
            run_one(f'{folder}/lease-beside', 'leased, restored beside the original',
                    {**lease, 'idgen.lease_prefix': 'third'}, to_a_time=True, beside=True)]
    redis.stop()
    return rows


def with_barman(folder):
    redis = Redis(f'{folder}/redis')
    lease = {'idgen.worker_source': 'lease', 'idgen.lease_store': redis.url}
    rows = [run_one(f'{folder}/static', 'static, to a point in time', {'idgen.worker_id': 1}, Barman, to_a_time=True),
            run_one(f'{folder}/lease', 'leased, to a point in time', lease, Barman, to_a_time=True)]
    redis.stop()
    return rows


def twins(folder):
    """What not to do. A store is configured, so that the servers can report it."""
    redis = Redis(f'{folder}/redis')
    rows = [run_one(folder, 'static, restored beside the original, same worker id',
                    {'idgen.worker_id': 1, 'idgen.lease_store': redis.url}, to_a_time=True, beside=True, seconds=150)]
    redis.stop()
    return rows
