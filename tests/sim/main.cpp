// The simulator's command line: the world of leases, after --etcd with etcd as their store, or, after --sequences, the world of
// sequences, after --sequences --etcd with etcd as their store.
#include <cstring>

#include "leases/run.h"
#include "sequences/run.h"

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--sequences") == 0) return idgen::sim::sequences::RunSequences(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "--etcd") == 0) return idgen::sim::RunLeases(argc - 2, argv + 2, true);
  return idgen::sim::RunLeases(argc - 1, argv + 1, false);
}
