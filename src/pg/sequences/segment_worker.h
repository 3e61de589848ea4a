// The process that fetches segments before they are used up, and gives back what is left of them when the server stops.
// It is started when there are segments, and ends with the server.
#pragma once

namespace idgen::pg {

// Sees to it that it runs. Not while a lock is held.
void KeepSegmentWorker();

// Marks that were written are on disk soon. False where the process does not run yet.
bool AskForSync();

}  // namespace idgen::pg
