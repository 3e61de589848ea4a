// The command line of the world of leases: idgen_sim.
#pragma once

namespace idgen::sim {

// `etcd`: their store is etcd; otherwise a Redis.
int RunLeases(int argc, char** argv, bool etcd);

}  // namespace idgen::sim
