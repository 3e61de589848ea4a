// The settings, idgen.*: defined here, read everywhere in src/pg.
#pragma once

#include "lease/keeper.h"
#include "lease/worker_number.h"

namespace idgen::pg {

void DefineSettings();

// What idgen.max_wait says in this session, in milliseconds.
int MaxWaitMs() noexcept;

// How many layouts the server has room for: idgen.max_generators as it was when the server started.
int MaxGenerators() noexcept;
int MaxGeneratorsPerDatabase() noexcept;

lease::NumberSource WorkerNumberSource() noexcept;
const char* WorkerEnv() noexcept;
const char* WorkerInterface() noexcept;

uint32_t StaticWorkerId() noexcept;
// False where idgen.worker_id is not set, so that nobody has promised anything about the number used.
bool WorkerIdIsChosen() noexcept;

lease::Settings CurrentSettings() noexcept;

}  // namespace idgen::pg
