# A primary and a standby under repmgr: the primary is killed, and repmgrd promotes the standby.
import os
import shutil
import time

from clients import TABLES, Clients, Measurement
from processes import Daemon, run, wait_until
from servers import Server
from stores import Redis

SETTINGS = {'shared_preload_libraries': 'repmgr,idgen', 'wal_log_hints': 'on', 'hot_standby': 'on'}


def configuration(server, number):
    path = f'{server.folder}/repmgr.conf'
    with open(path, 'w') as out:
        out.write(f"node_id={number}\nnode_name='node{number}'\nconninfo='{server.dsn} connect_timeout=2'\n"
                  f"data_directory='{server.data}'\npg_bindir='{os.path.dirname(shutil.which('postgres'))}'\n"
                  f"failover=automatic\nmonitor_interval_secs=2\nreconnect_attempts=3\nreconnect_interval=2\n"
                  f"promote_command='repmgr -f {path} standby promote'\n"
                  f"follow_command='repmgr -f {path} standby follow -W --upstream-node-id=%n'\n")
    return path


def run_one(folder, name, settings_of, *bootstrap):
    primary = Server(f'{folder}/node1', {**SETTINGS, **settings_of(1)}).make()
    standby = Server(f'{folder}/node2', {**SETTINGS, **settings_of(2)})
    run('repmgr', '-f', configuration(primary, 1), 'primary', 'register')
    for statement in bootstrap:
        primary.sql(statement)
    primary.sql(TABLES)
    conf = configuration(standby, 2)
    run('repmgr', '-f', conf, '-h', '127.0.0.1', '-p', str(primary.port), '-U', 'postgres', '-d', 'postgres',
        'standby', 'clone', '--fast-checkpoint')
    with open(f'{standby.data}/postgresql.conf') as file:
        cloned = 'idgen.worker_id' in file.read()
    standby.configure()
    standby.start()
    run('repmgr', '-f', conf, 'standby', 'register')
    wait_until(lambda: standby.sql('SELECT count(*) = 2 FROM repmgr.nodes')[0][0], 'registration')
    repmgrd = Daemon(f'{standby.folder}/repmgrd.log', 'repmgrd', '-f', conf, '--no-pid-file', '--daemonize=false')
    clients = Clients({'node1': primary.dsn, 'node2': standby.dsn}, f'{folder}/ids')
    clients.wait_for_ids()
    time.sleep(5)
    measurement = Measurement(clients)
    primary.kill()
    wait_until(lambda: not standby.sql('SELECT pg_is_in_recovery()')[0][0], 'promotion')
    clients.wait_for_ids()
    time.sleep(5)
    row = {'worker ids': name, **measurement.finish(),
           'remark': 'the clone had the postgresql.conf of the primary, with its worker id' if cloned else ''}
    repmgrd.stop()
    clients.stop()
    standby.stop()
    print(row, flush=True)
    return row


def failover(folder):
    redis = Redis(f'{folder}/redis')
    lease = {'idgen.worker_source': 'lease', 'idgen.lease_store': redis.url}
    rows = [run_one(f'{folder}/static', 'static, different', lambda n: {'idgen.worker_id': n}, 'CREATE EXTENSION idgen'),
            run_one(f'{folder}/lease', 'leased', lambda n: lease, 'CREATE EXTENSION idgen', 'SELECT idgen_declare_new_prefix()')]
    redis.stop()
    return rows
