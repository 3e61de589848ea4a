// Calls to etcd as messages of the world, and what becomes of them there.
#include "leases/etcd_store.h"

#include <algorithm>
#include <cstdlib>

#include "engine/format.h"
#include "leases/server.h"

namespace idgen::sim {

// --- the server's side

SimEtcdStore::SimEtcdStore(World& world, int server) : world_(world), server_(server) {
  holder_ = Format("host-%d|5432|/data", world.plan_.twins ? server / 2 : server);
}

uint64_t SimEtcdStore::Send(std::string_view path, std::string_view body) {
  return world_.SendToEtcd(server_, path, body);
}

int64_t SimEtcdStore::NowUs() const { return world_.servers_[static_cast<size_t>(server_)]->Now().boot_us; }

void SimEtcdStore::Wake() { world_.servers_[static_cast<size_t>(server_)]->WakeWorkerAt(world_.now_us_); }

void SimEtcdStore::Violate(const std::string& text) { world_.Violate(text); }

void SimEtcdStore::Reset() noexcept {
  store_.Close();
  configured_for_ = -1;
}

void SimEtcdStore::Configure() noexcept {
  const int prefix = world_.servers_[static_cast<size_t>(server_)]->prefix();
  if (configured_for_ == prefix) return;
  configured_for_ = prefix;
  prefix_ = Format("idgen-%d", prefix);
  lease::LeaseStoreSettings settings;
  settings.access.url = "etcd://sim";
  settings.access.timeout_us = 2 * kSecond;
  settings.prefix = prefix_.c_str();
  settings.holder = holder_.c_str();
  settings.min_worker = static_cast<uint32_t>(world_.plan_.min_worker);
  settings.max_workers = static_cast<uint32_t>(world_.plan_.min_worker + world_.plan_.workers);
  settings.ttl_ms = world_.plan_.ttl_ms;
  store_.Configure(settings);
}

void SimEtcdStore::Begin(const lease::StoreRequest& request, int64_t now_us) noexcept {
  Configure();
  asked_ = request.kind;
  store_.Begin(request, now_us);
}

bool SimEtcdStore::Step(int64_t now_us, lease::StoreReply* reply) noexcept {
  if (!store_.Step(now_us, reply)) return false;
  if (reply->outcome == lease::StoreOutcome::kOk && asked_ == lease::StoreRequest::Kind::kAcquire)
    world_.CheckAcquired(server_, *reply);
  if (reply->outcome == lease::StoreOutcome::kOk)
    world_.servers_[static_cast<size_t>(server_)]->NoteGranted(asked_, *reply);
  return true;
}

// --- the world's side

uint64_t World::SendToEtcd(int server, std::string_view path, std::string_view body) {
  ++figures_.store_calls;
  const auto second = static_cast<size_t>((now_us_ - kBeginUs) / kSecond);
  if (figures_.etcd_calls.size() <= second) figures_.etcd_calls.resize(second + 1);
  ++figures_.etcd_calls[second];
  const uint64_t number = ++requests_;
  Random& random = links_[static_cast<size_t>(server)];
  const auto send = [&](uint64_t as, int64_t after_us) {
    const uint64_t id = NewMessage();
    messages_[id] = {.server = server, .node = -1, .call = {}, .reply = {}, .offset = as, .give_up_us = 0};
    messages_[id].etcd =
        std::make_unique<EtcdMessage>(EtcdMessage{std::string(path), std::string(body), {}, 0, etcd_number_});
    Push(now_us_ + after_us, EventKind::kArrive, server, id);
  };
  const bool takes = path == io::kEtcdTxn && body.find("requestPut") != std::string_view::npos &&
                     !servers_[static_cast<size_t>(server)]->HasWorker();
  int64_t slow_us = 0;
  if (SlowTake& slow = slow_takes_[static_cast<size_t>(server)]; takes && slow.by_us > 0) {
    slow_us = slow.by_us;
    if (slow.crashes)
      Do(now_us_ + kMs,
         [this, server, slow_us] { servers_[static_cast<size_t>(server)]->Crash(true, slow_us + kSecond); });
    slow = SlowTake();
  }
  const int copies = LinkBad() ? (random.Chance(0.2) ? 0 : random.Chance(0.2) ? 2 : 1) : 1;
  for (int i = 0; i < copies; ++i) send(number, slow_us + DelayUs(server));
  if (now_us_ < resets_until_us_[static_cast<size_t>(server)] && random.Chance(0.5))
    Do(now_us_ + random.Between(0, 4 * kMs),
       [this, server] { servers_[static_cast<size_t>(server)]->BreakConnection(); });
  Hold& hold = holds_[static_cast<size_t>(server)];
  // An acquisition's range and grant are held up, too, but what matters is the transaction.
  if (hold.after_us > 0 && path == io::kEtcdTxn && (!hold.of_acquisition || takes)) {
    send(0, hold.after_us);
    if (hold.stops_after)
      Do(now_us_ + hold.after_us + 100, [this, server] { servers_[static_cast<size_t>(server)]->CleanStop(10 * kMs); });
    if (const int64_t until_us = now_us_ + hold.after_us + kMs; hold.pause_us > 0)
      Do(now_us_ + hold.pause_us, [this, server, until_us] {
        if (until_us > now_us_) servers_[static_cast<size_t>(server)]->Pause(until_us - now_us_);
      });
    hold = Hold();
  }
  return number;
}

void World::ArriveAtEtcd(const Event& event) {
  Message& message = messages_[event.tag];
  Random& random = links_[static_cast<size_t>(message.server)];
  if (now_us_ < store_paused_until_us_) return Push(store_paused_until_us_, EventKind::kArrive, event.who, event.tag);
  message.node = RouteOf(message.server);
  EtcdMessage& call = *message.etcd;
  if (call.cluster != etcd_number_ || is_restoring_)
    return free_messages_.push_back(event.tag);  // its members are gone
  if (message.node < 0 || !store_.up(message.node)) {
    if (message.node == -2 || random.Chance(0.3)) return free_messages_.push_back(event.tag);
    call.answer.http_status = 0;
    return Reply(event.tag, DelayUs(message.server));
  }
  etcd_.Expire(now_us_ / kMs);
  NoteMeeting(message.server);
  const bool writes = plan_.checks_keys && call.path == io::kEtcdTxn;
  const EtcdHolders before = writes ? HoldersInEtcd() : EtcdHolders();
  const EtcdCeilings ceilings = writes ? CeilingsInEtcd() : EtcdCeilings();
  call.answer = etcd_.Call(call.path, call.body, now_us_ / kMs);
  if (writes) CheckHolders(before);
  if (writes) CheckCeilings(ceilings);
  call.date_ms = (now_us_ + member_clocks_us_[random.Below(3)]) / kSecond * 1000;
  if (keep_timeline_)
    Note("etcd, for server %d: %s -> %d, revision %lld", message.server, call.path.c_str(), call.answer.http_status,
         static_cast<long long>(etcd_.revision()));
  Reply(event.tag, DelayUs(message.server));
}

World::EtcdHolders World::HoldersInEtcd() const {
  EtcdHolders holders;
  for (const auto& [key, it] : etcd_.keys())
    if (key.find("/worker/") != std::string::npos) holders.emplace_back(key, it.value);
  return holders;
}

// A token begins with the number of its server: see MakeToken.
int World::FamilyOf(std::string_view token) const {
  return families_[static_cast<size_t>(atoi(std::string(token.substr(0, 6)).c_str()) - 1)];
}

void World::CheckHolders(const EtcdHolders& before) {
  for (const auto& [key, value] : before) {
    const auto it = etcd_.keys().find(key);
    if (it == etcd_.keys().end() || it->second.value == value) continue;
    if (FamilyOf(value) != FamilyOf(it->second.value)) Violate("a server takes the lease of another one: " + key);
  }
  const EtcdHolders after = HoldersInEtcd();
  for (size_t i = 0; i < after.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (after[i].second.substr(0, lease::kTokenBytes) == after[k].second.substr(0, lease::kTokenBytes))
        Violate("one acquisition has two worker ids: " + after[k].first + " and " + after[i].first);
  for (const auto& holder : after)
    if (std::find(before.begin(), before.end(), holder) == before.end()) CheckTaken(holder.first, holder.second);
}

World::EtcdCeilings World::CeilingsInEtcd() const {
  static constexpr std::string_view kCeiling = "/ceiling/";
  EtcdCeilings ceilings;
  for (const auto& [key, it] : etcd_.keys())
    if (const size_t at = key.find(kCeiling); at != std::string::npos)
      ceilings[std::string(key).replace(at, kCeiling.size(), "/worker/")] = strtoll(it.value.c_str(), nullptr, 10);
  return ceilings;
}

void World::CheckCeilings(const EtcdCeilings& before) {
  const EtcdCeilings after = CeilingsInEtcd();
  for (const auto& [key, ceiling_ms] : before) {
    const auto it = after.find(key);
    if (it == after.end() || it->second < ceiling_ms) Violate("a ceiling is lowered: that of " + key);
  }
}

// A worker id was written under a new token.
void World::CheckTaken(const std::string& key, std::string_view token) {
  const EtcdCeilings ceilings = CeilingsInEtcd();
  const auto ceiling = ceilings.find(key);
  const int64_t ceiling_ms = ceiling == ceilings.end() ? 0 : ceiling->second;
  ceilings_at_take_[etcd_.keys().find(key)->second.mod_revision] = ceiling_ms;
  const auto it = forgotten_.find(key);
  if (it == forgotten_.end()) return;
  const Forgotten forgotten = it->second;
  forgotten_.erase(it);
  if (ceiling_ms >= forgotten.ceiling_ms) return;
  const Server* server = forgotten.server < 0 ? nullptr : servers_[static_cast<size_t>(forgotten.server)].get();
  const bool runs_on = server != nullptr && server->up() && server->life_number_ == forgotten.life;
  if (runs_on && (forgotten.is_back || FamilyOf(token) == families_[static_cast<size_t>(forgotten.server)]))
    return Violate("a worker id is taken whose holder has not raised the ceiling that etcd forgot: " + key);
  // Whoever had it has not come back yet, or has forgotten it, too. That is outside the promise.
  is_void_ = true;
}

// A server that was away for so long that the revision has grown beyond what it knows does not notice the restore.
void World::NoteMeeting(int server) {
  for (auto& [key, forgotten] : forgotten_) {
    if (forgotten.server != server || forgotten.is_met) continue;
    forgotten.is_met = true;
    const Server& it = *servers_[static_cast<size_t>(server)];
    if (!it.up() || etcd_.revision() >= it.life_->memo.revision) forgotten.server = -1;
  }
}

// With other settings it offers no previous lease, and cannot raise its ceiling.
void World::NoteReleased(int server) {
  for (auto& [key, forgotten] : forgotten_)
    if (forgotten.server == server) forgotten.server = -1;
}

void World::CheckAcquired(int server, const lease::StoreReply& reply) {
  const auto taken = ceilings_at_take_.find(reply.fence);
  if (taken != ceilings_at_take_.end() && reply.floor_ms < taken->second)
    Violate("an acquisition begins below the ceiling of its worker id");
  for (auto& [key, forgotten] : forgotten_) forgotten.is_back = forgotten.is_back || forgotten.server == server;
}

}  // namespace idgen::sim
