// Requests of a backend to the lease store.
#include "pg/lease/store_call.h"

#include "io/clock.h"
#include "lease/stores.h"
#include "pg/base/sentence.h"
#include "pg/base/wait.h"
#include "pg/lease/descriptors.h"
#include "pg/lease/settings.h"

#include <new>
#include <type_traits>

namespace idgen::pg {
namespace {

struct Client {
  LeaseConfig config;
  lease::ConfiguredLeaseStore store;
};
static_assert(std::is_trivially_destructible_v<Client>);

[[noreturn]] void RaiseFailure(const lease::LeaseBackend& store) {
  const char* problem = Sentence(store.problem());
  // Only a store that has answered leaves specific advice.
  if (const char* advice = store.failure_advice())
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("the lease store refused the request"),
                    errdetail("%s", problem), errhint("%s", advice)));
  ereport(ERROR,
          (errcode(ERRCODE_CONNECTION_FAILURE), errmsg("the lease store does not answer"), errdetail("%s", problem),
           errhint("If the store is up, check \"idgen.lease_store\", \"idgen.lease_password_file\" and the "
                   "\"idgen.lease_tls_...\" settings.")));
}

}  // namespace

void StoreCall::Run(lease::StoreRequest::Kind kind, Use use, void* context) {
  auto* client = new (palloc(sizeof(Client))) Client();
  char problem[256];
  if (!ReadLeaseConfig(&client->config, problem, sizeof problem))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no lease store is configured"),
                    errdetail("%s", problem), errhint("Set \"idgen.lease_store\" and reload the configuration.")));
  const uint32 wait_event = NewWaitEvent("IdgenLeaseStore");
  const int descriptors = ReserveDescriptors(lease_store_url.kind(), "lease store");
  PG_TRY();
  {
    client->store.Configure(client->config.StoreSettings());
    lease::StoreRequest request;
    request.kind = kind;
    client->store.Begin(request, io::BootUs());
    lease::StoreReply reply;
    while (!client->store.Step(io::BootUs(), &reply)) {
      const int64 now_us = io::BootUs();
      WaitForConnection(client->store.wants(now_us), now_us, wait_event);
    }
    if (reply.outcome == lease::StoreOutcome::kFailed) RaiseFailure(client->store);
    use(client->store, reply, context);
  }
  PG_FINALLY();
  {
    client->store.Close();
    ReleaseDescriptors(descriptors);
  }
  PG_END_TRY();
}

}  // namespace idgen::pg
