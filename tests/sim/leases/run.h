// The command line of the world of leases: idgen_sim.
#pragma once

namespace idgen::sim {

int RunLeases(int argc, char** argv);

}  // namespace idgen::sim
