// The command line of the world of sequences: idgen_sim --sequences.
#pragma once

namespace idgen::sim::sequences {

int RunSequences(int argc, char** argv);

}  // namespace idgen::sim::sequences
