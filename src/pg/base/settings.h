// The settings of ids and of the worker id; DefineSettings() also calls the other rooms, which define their own.
#pragma once

#include "lease/keeper.h"
#include "lease/worker_number.h"

namespace idgen::pg {

void DefineSettings();

// idgen.max_wait of this session.
int MaxWaitMs() noexcept;

// The server's capacity for layouts.
int MaxGenerators() noexcept;
int MaxGeneratorsPerDatabase() noexcept;

lease::NumberSource WorkerNumberSource() noexcept;
const char* WorkerEnv() noexcept;
const char* WorkerInterface() noexcept;

uint32_t StaticWorkerId() noexcept;
// False if idgen.worker_id is not set, so nobody has promised that no other server uses StaticWorkerId().
bool WorkerIdIsChosen() noexcept;

lease::IdSettings CurrentIdSettings() noexcept;

}  // namespace idgen::pg
