// The prefetcher: the process that fetches segments before they are used up, syncs marks of transactions that did not
// wait for that, and gives back remainders when the server stops. It is started when there are segments.
#pragma once

namespace idgen::pg {

// Starts it unless it runs. The caller holds no lock.
void StartPrefetcher();

// Marks that were written are on disk soon. False if the process does not run yet.
bool RequestMarkSync();

}  // namespace idgen::pg
