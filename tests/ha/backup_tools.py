# pgBackRest and Barman, each configured for the one server that it backs up.
import os
import shutil

from processes import Daemon, run, wait_until


class Pgbackrest:
    """One stanza, in a repository that belongs to the run."""

    def __init__(self, folder, server):
        self.config = f'{folder}/pgbackrest.conf'
        with open(self.config, 'w') as out:
            out.write(f'[global]\nrepo1-path={folder}/repo\nlog-path={folder}\nlock-path={folder}/lock\n'
                      f'spool-path={folder}/spool\nstart-fast=y\nrepo1-retention-full=2\n\n'
                      f'[main]\npg1-path={server.data}\npg1-port={server.port}\npg1-socket-path={server.folder}\n'
                      'pg1-user=postgres\n')
        server.set({'archive_mode': 'on', 'archive_command': ' '.join(self.command('archive-push', '%p'))})
        server.stop()
        server.start()
        run(*self.command('stanza-create'))

    def command(self, *words):
        return ['pgbackrest', f'--config={self.config}', '--stanza=main', *words]

    def backup(self):
        run(*self.command('backup'))

    def restore(self, data, target=None):
        to_a_time = ['--type=time', f'--target={target}', '--target-action=promote'] if target else []
        run(*self.command(f'--pg1-path={data}', *to_a_time, 'restore'))

    def stop(self):
        pass


class Barman:
    """Backups and WAL by the streaming protocol."""

    def __init__(self, folder, server):
        self.config = f'{folder}/barman.conf'
        for name in 'barman', 'barman.d':
            os.mkdir(f'{folder}/{name}')
        with open(self.config, 'w') as out:
            out.write(f'[barman]\nbarman_user = {os.environ.get("USER", "postgres")}\nbarman_home = {folder}/barman\n'
                      f'configuration_files_directory = {folder}/barman.d\nlog_file = {folder}/barman.log\n\n'
                      f'[main]\ndescription = main\nconninfo = {server.dsn}\nstreaming_conninfo = {server.dsn}\n'
                      'backup_method = postgres\nstreaming_archiver = on\nslot_name = barman\ncreate_slot = auto\n'
                      f'path_prefix = {os.path.dirname(shutil.which("postgres"))}\n')
        run(*self.command('receive-wal', '--create-slot', 'main'))
        self.receiver = Daemon(f'{folder}/receive-wal.log', *self.command('receive-wal', 'main'))
        wait_until(lambda: run(*self.command('switch-wal', '--force', '--archive', 'main')), 'WAL in the archive')

    def command(self, *words):
        return ['barman', '-c', self.config, *words]

    def backup(self):
        run(*self.command('backup', 'main', '--wait'))

    def restore(self, data, target=None):
        run(*self.command('archive-wal', 'main'))
        to_a_time = ['--target-time', target, '--target-action', 'promote'] if target else []
        run(*self.command('recover', *to_a_time, 'main', 'latest', data))

    def stop(self):
        self.receiver.stop()
