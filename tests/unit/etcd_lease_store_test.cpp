// Leases in etcd: the shipping store over the simulator's model of etcd, with calls that are lost, late or carried out
// twice, and with other servers between any two of them.
#include "lease/etcd/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "etcd/base64.h"
#include "etcd/link.h"

namespace idgen::lease {
namespace {

using Fate = sim::ModelEtcdLink::Fault;
using Kind = StoreRequest::Kind;
using Rival = StoreReply::Rival;
using Why = StoreReply::Why;

constexpr int64_t kStartMs = 1767225600000;
constexpr int64_t kTtlMs = 30000;
constexpr int64_t kWindowMs = 21000;  // how far a server's ceiling is ahead of its clock
const std::string kPrefix = "/idgen:worker/";

int tokens_made = 0;
std::string NewToken() {
  char token[kTokenBytes + 1];
  snprintf(token, sizeof token, "token-%030d", ++tokens_made);
  return token;
}

struct EtcdWorld {
  sim::EtcdModel etcd;
  int64_t now_ms = kStartMs;

  std::string Name(const char* kind, uint32_t worker) const {
    char digits[8];
    snprintf(digits, sizeof digits, "%07u", worker);
    return kPrefix + kind + "/" + digits;
  }
  bool Has(const char* kind, uint32_t worker) const { return etcd.keys().contains(Name(kind, worker)); }
  const sim::EtcdModel::Key& At(const char* kind, uint32_t worker) const { return etcd.keys().at(Name(kind, worker)); }
  int64_t Ceiling(uint32_t worker) const { return std::stoll(At("ceiling", worker).value); }
  int CountWorkers() const {
    return static_cast<int>(std::count_if(etcd.keys().begin(), etcd.keys().end(),
                                          [](const auto& it) { return it.first.starts_with(kPrefix + "worker/"); }));
  }
  void Delete(const char* kind, uint32_t worker) {
    std::string body = R"({"key":")";
    sim::AppendBase64(Name(kind, worker), &body);
    etcd.Call("kv/deleterange", body + "\"}", now_ms);
  }
  void Pass(int64_t ms) {
    now_ms += ms;
    etcd.Expire(now_ms);
  }
};

// A server's store, and what LeaseSource and NotedSource remember for it.
struct LeaseServer {
  explicit LeaseServer(EtcdWorld& in, uint32_t max_workers = 1024, const std::string& name = "")
      : world(in), link(in.etcd, &in.now_ms), holder(name.empty() ? "host|5432|/" + NewToken() : name), store(link) {
    link.is_patient = false;
    link.clock_ahead_us = 0;
    settings.prefix = "idgen:worker";
    settings.holder = holder.c_str();
    settings.max_workers = max_workers;
    settings.ttl_ms = kTtlMs;
    settings.access.timeout_us = 2000000;
    store.Configure(settings);
  }

  int64_t WallMs() const { return world.now_ms + clock_ahead_ms; }

  StoreReply Ask(StoreRequest request) {
    memcpy(request.token, token.c_str(), std::min(token.size() + 1, sizeof request.token));
    store.Begin(request, world.now_ms * core::kUsPerMs);
    StoreReply reply;
    EXPECT_TRUE(store.Step(world.now_ms * core::kUsPerMs, &reply));
    return reply;
  }
  StoreReply Acquire() {
    if (token.empty() || held) token = NewToken();
    held = false;
    StoreRequest request;
    request.kind = Kind::kAcquire;
    request.previous = previous;
    request.revision = std::max(revision, previous.fence);
    request.cluster = cluster;
    request.wall_ms = WallMs();
    const StoreReply reply = Ask(request);
    if (reply.outcome != StoreOutcome::kFailed && reply.why != Why::kOtherCluster) {
      revision = reply.revision;
      cluster = reply.cluster;
    }
    if (reply.outcome != StoreOutcome::kOk) return reply;
    held = true;
    worker = reply.worker;
    fence = reply.fence;
    floor_ms = reply.floor_ms;
    stored_ms = reply.stored_ms;
    granted_ms = offered_ms = 0;
    return reply;
  }
  StoreReply Renew(int64_t ceiling_ms) {
    StoreRequest request;
    request.kind = Kind::kRenew;
    request.worker_known = true;
    request.worker = worker;
    request.ceiling_ms = ceiling_ms;
    request.fence = fence;
    request.revision = revision;
    request.cluster = cluster;
    request.stored_ms = stored_ms;
    request.offered_ms = offered_ms;
    offered_ms = std::max(offered_ms, ceiling_ms);
    const StoreReply reply = Ask(request);
    revision = reply.why == Why::kForgotten ? reply.revision : std::max(revision, reply.revision);
    if (reply.outcome == StoreOutcome::kOk) {
      granted_ms = std::max(granted_ms, reply.granted_ms);
      stored_ms = reply.stored_ms;
      offered_ms = 0;
      Remember();
    } else if (reply.outcome == StoreOutcome::kLost) {
      token.clear();
      held = false;
    }
    return reply;
  }
  StoreReply Renew() { return Renew(std::max(WallMs(), floor_ms) + kWindowMs); }
  StoreReply Release() {
    StoreRequest request;
    request.kind = Kind::kRelease;
    const StoreReply reply = Ask(request);
    token.clear();
    held = false;
    return reply;
  }
  StoreReply Simply(Kind kind) {
    StoreRequest request;
    request.kind = kind;
    return Ask(request);
  }
  StoreReply Present(uint32_t as, int64_t ceiling_ms) {
    if (token.empty()) token = NewToken();
    StoreRequest request;
    request.kind = Kind::kPresent;
    request.worker = as;
    request.ceiling_ms = ceiling_ms;
    return Ask(request);
  }
  // As the local file remembers it.
  void Remember() {
    previous = {.fence = fence,
                .worker = worker,
                .ceiling_ms = granted_ms,
                .granted_ms = stored_ms,
                .cluster = cluster,
                .revision = revision};
    memcpy(previous.token, token.c_str(), sizeof previous.token);
  }
  // A crash: what is left is the file, if it is this server's own.
  void Crash(bool keeps_file = true) {
    token.clear();
    held = false;
    revision = 0;
    if (!keeps_file) previous = {};
    store.Close();
    store.Configure(settings);
  }
  // What is in memory, too: a copy of a virtual machine that runs.
  void CopyMemory(const LeaseServer& of) {
    token = of.token;
    held = of.held;
    worker = of.worker;
    fence = of.fence, floor_ms = of.floor_ms, granted_ms = of.granted_ms, revision = of.revision;
    stored_ms = of.stored_ms, offered_ms = of.offered_ms;
    cluster = of.cluster;
    previous = of.previous;
  }
  size_t RoundTrips() const { return link.sent.size(); }
  // Of the exchange under way: it takes a worker id.
  bool Takes() const { return link.sent.back()[0].body.find("requestPut") != std::string::npos; }

  EtcdWorld& world;
  sim::ModelEtcdLink link;
  std::string holder;
  LeaseStoreSettings settings;
  EtcdLeaseStore store;
  int64_t clock_ahead_ms = 0;
  std::string token;
  bool held = false;
  uint32_t worker = 0;
  int64_t fence = 0, floor_ms = 0, granted_ms = 0, revision = 0;
  int64_t stored_ms = 0, offered_ms = 0;
  uint64_t cluster = 0;
  FencedLease previous;
};

// ---- acquiring

TEST(EtcdLeaseStore, AFewServersGetTheLowestWorkerIdsInTwoRoundTripsEach) {
  EtcdWorld world;
  for (uint32_t i = 0; i < 3; ++i) {
    LeaseServer server(world);
    const StoreReply reply = server.Acquire();
    EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
    EXPECT_EQ(reply.worker, i);
    EXPECT_EQ(reply.fence, world.At("worker", i).mod_revision);
    EXPECT_EQ(reply.floor_ms, kStartMs);
    EXPECT_EQ(reply.expiry_ms, kStartMs + kTtlMs);
    EXPECT_EQ(reply.store_now_ms, kStartMs);
    EXPECT_EQ(world.At("worker", i).value, server.token + "|" + server.holder);
    EXPECT_EQ(world.At("worker", i).lease, LeaseOf(server.token.c_str()));
    EXPECT_EQ(world.At("ceiling", i).lease, 0);
    EXPECT_EQ(server.RoundTrips(), 2u);
  }
}

TEST(EtcdLeaseStore, TheUrlsPathAndThePrefixAreTheKeysBeginning) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.prefix = "/postgres";
  server.store.Configure(server.settings);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_TRUE(world.etcd.keys().contains("/postgres/idgen:worker/worker/0000000"));
  EXPECT_TRUE(world.etcd.keys().contains("/postgres/idgen:worker/ceiling/0000000"));
  EXPECT_EQ(world.etcd.keys().size(), 2u);
}

// Otherwise ids of the previous holder and the next could be the same.
TEST(EtcdLeaseStore, TheFloorIsTheCeilingAtTheMomentOfTheAcquisition) {
  EtcdWorld world;
  LeaseServer first(world, 1), second(world, 1);
  first.Acquire();
  first.Renew();
  first.Release();
  bool came_between = false;
  second.link.before_call = [&](std::string_view path, std::string_view) {
    if (path != io::kEtcdTxn || std::exchange(came_between, true)) return;
    EXPECT_EQ(first.Acquire().outcome, StoreOutcome::kOk);
    first.Renew(kStartMs + 50000);
    first.Release();
  };
  EXPECT_EQ(second.Acquire().floor_ms, kStartMs + 50000);
}

TEST(EtcdLeaseStore, TheLowestCeilingGoesFirstThenTheLowestNumber) {
  EtcdWorld world;
  std::deque<LeaseServer> servers;
  for (const int64_t ahead_ms : {9000, 3000, 3000, 6000}) {
    servers.emplace_back(world, 4);
    servers.back().Acquire();
    servers.back().Renew(kStartMs + ahead_ms);
  }
  for (LeaseServer& server : servers) server.Release();
  std::string order;
  for (LeaseServer& server : servers) order += std::to_string((server.previous = {}, server.Acquire()).worker);
  EXPECT_EQ(order, "1230");
}

TEST(EtcdLeaseStore, ManyServersThatStartTogetherFindWorkerIdsInFewRoundTrips) {
  EtcdWorld world;
  std::deque<LeaseServer> servers;
  for (int i = 0; i < 100; ++i) servers.emplace_back(world);
  // Each has its list before any of the others takes its worker id.
  size_t next = 1;
  std::function<void()> start = [&] {
    if (next == servers.size()) return;
    LeaseServer& server = servers[next++];
    bool begun = false;
    server.link.before_call = [&, begun](std::string_view path, std::string_view) mutable {
      if (path == io::kEtcdTxn && !std::exchange(begun, true)) start();
    };
    EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  };
  servers[0].link.before_call = [&](std::string_view path, std::string_view) {
    if (path == io::kEtcdTxn && next == 1) start();
  };
  EXPECT_EQ(servers[0].Acquire().outcome, StoreOutcome::kOk);
  std::vector<uint32_t> workers;
  size_t most = 0;
  for (const LeaseServer& server : servers) {
    workers.push_back(server.worker);
    most = std::max(most, server.RoundTrips());
  }
  std::sort(workers.begin(), workers.end());
  EXPECT_EQ(std::unique(workers.begin(), workers.end()), workers.end());
  EXPECT_LE(most, 3u);
}

TEST(EtcdLeaseStore, ItTakesTwoRoundTripsHoweverManyWorkerIdsAreTaken) {
  EtcdWorld world;
  const auto put = [&](const std::string& name, const std::string& value) {
    std::string key, text;
    sim::AppendBase64(name, &key);
    sim::AppendBase64(value, &text);
    world.etcd.Call("kv/put", R"({"key":")" + key + R"(","value":")" + text + "\"}", world.now_ms);
  };
  for (uint32_t worker = 0; worker < 1024; ++worker) {
    put(world.Name("ceiling", worker), "0001767225621000");
    if (worker != 700) put(world.Name("worker", worker), NewToken() + "|host|5432|/data");
  }
  LeaseServer server(world);
  EXPECT_EQ(server.Acquire().worker, 700u);
  EXPECT_EQ(server.RoundTrips(), 2u);
}

TEST(EtcdLeaseStore, AnAcquisitionIsABoundedNumberOfRoundTrips) {
  EtcdWorld world;
  std::deque<LeaseServer> others;
  LeaseServer server(world);
  server.link.before_call = [&](std::string_view path, std::string_view) {
    if (path != io::kEtcdTxn) return;
    // Whatever it asks for is taken just before.
    for (uint32_t worker = 0; worker < 1024; ++worker) {
      if (world.Has("worker", worker)) continue;
      if (server.link.sent.back()[0].body.find("\"success\"") == std::string::npos) continue;
      others.emplace_back(world);
      others.back().settings.min_worker = worker;
      others.back().settings.max_workers = worker + 1;
      others.back().store.Configure(others.back().settings);
      others.back().Acquire();
      if (others.size() % 110 == 0) return;
    }
  };
  const StoreReply reply = server.Acquire();
  EXPECT_NE(reply.outcome, StoreOutcome::kFailed);
  EXPECT_LE(server.RoundTrips(), 9u);
}

TEST(EtcdLeaseStore, NoWorkerIdIsFree) {
  EtcdWorld world;
  LeaseServer first(world, 1), second(world, 1);
  first.Acquire();
  const StoreReply reply = second.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kBusy);
  EXPECT_EQ(reply.why, Why::kFull);
  EXPECT_EQ(reply.until_ms, 0) << "etcd does not say when";
  EXPECT_EQ(second.RoundTrips(), 1u);
  world.Pass(kTtlMs + 1000);
  EXPECT_EQ(second.Acquire().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, AWorkerIdThatAnotherServerHasJustTakenIsNotTakenFromIt) {
  EtcdWorld world;
  LeaseServer first(world, 1), second(world, 1);
  first.Acquire();
  first.Renew();
  first.Release();
  first.previous = {};
  second.link.before_call = [&](std::string_view path, std::string_view) {
    if (path == io::kEtcdTxn && !first.held) first.Acquire();
  };
  EXPECT_EQ(second.Acquire().outcome, StoreOutcome::kBusy);
  EXPECT_EQ(first.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, ACeilingFarAheadOfBothClocksIsNotAccepted) {
  EtcdWorld world;
  LeaseServer ahead(world, 1), other(world, 1);
  ahead.clock_ahead_ms = 3 * 3600 * 1000;
  ahead.Acquire();
  ahead.Renew();
  const int64_t ceiling_ms = ahead.granted_ms;
  ahead.Release();
  StoreReply reply = other.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kBusy);
  EXPECT_EQ(reply.why, Why::kAhead);
  EXPECT_EQ(reply.until_ms, ceiling_ms - 60000);
  reply = ahead.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk) << "its own clock is ahead as well";
  EXPECT_EQ(reply.floor_ms, ceiling_ms);
  ahead.Release();
  world.Pass(ceiling_ms - 60000 - world.now_ms);
  EXPECT_EQ(other.Acquire().floor_ms, ceiling_ms);
}

TEST(EtcdLeaseStore, WithoutAClockOfTheStoreTheServersOwnCounts) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.link.has_clock = false;
  StoreReply reply = server.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.floor_ms, kStartMs);
  EXPECT_EQ(reply.expiry_ms, 0);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, AServerWithoutItsFileDoesNotUseUpTheWorkerIds) {
  EtcdWorld world;
  LeaseServer server(world);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
    server.Renew();
    server.Crash(/*keeps_file=*/false);
  }
  const StoreReply reply = server.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kBusy);
  EXPECT_EQ(reply.why, Why::kCrashes);
  LeaseServer other(world);
  EXPECT_EQ(other.Acquire().outcome, StoreOutcome::kOk);
  world.Pass(kTtlMs + 1000);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
}

// ---- lost, late and repeated calls

TEST(EtcdLeaseStore, AnAcquisitionWhoseReplyWasLostIsFoundAgain) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.fate = [](const std::string& path) { return path == io::kEtcdTxn ? Fate::kReplyLost : Fate::kNone; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  EXPECT_STRNE(server.store.problem(), "");
  EXPECT_TRUE(world.Has("worker", 0));
  const int64_t fence = world.At("worker", 0).mod_revision;
  server.link.fate = nullptr;
  server.link.sent.clear();
  const StoreReply reply = server.Acquire();
  EXPECT_EQ(reply.worker, 0u);
  EXPECT_EQ(reply.fence, fence);
  EXPECT_EQ(server.RoundTrips(), 1u);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

// A server that has waited in a suspended etcd asks again over another connection, and then both requests arrive.
TEST(EtcdLeaseStore, ALateCopyOfAnAcquisitionTakesNoSecondWorkerId) {
  EtcdWorld world;
  LeaseServer server(world), other(world);
  server.link.fate = [](const std::string& path) { return path == io::kEtcdTxn ? Fate::kLate : Fate::kNone; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  server.link.fate = nullptr;
  other.Acquire();
  server.Acquire();
  const uint32_t worker = server.worker;
  other.Release();
  server.link.DeliverLate();
  EXPECT_EQ(world.CountWorkers(), 1);
  EXPECT_TRUE(world.Has("worker", worker));
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, AnAcquisitionThatIsCarriedOutTwiceInOneExchangeIsOne) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.fate = [](const std::string&) { return Fate::kAgain; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  EXPECT_EQ(world.CountWorkers(), 1);
}

TEST(EtcdLeaseStore, AnAcquisitionThatArrivesAfterItsReleaseHasNoEffect) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.fate = [](const std::string& path) { return path == io::kEtcdTxn ? Fate::kLate : Fate::kNone; };
  server.Acquire();
  server.link.fate = nullptr;
  EXPECT_EQ(server.Release().outcome, StoreOutcome::kOk);
  server.link.DeliverLate();
  EXPECT_FALSE(world.Has("worker", 0));
}

// The same token, but not the same lease: others had the worker id in between.
TEST(EtcdLeaseStore, AnAcquisitionThatArrivesAfterItsLeaseEndedIsAnotherLease) {
  EtcdWorld world;
  LeaseServer server(world, 1), other(world, 1);
  other.Acquire();
  other.Renew();
  other.Release();
  server.link.fate = [](const std::string&) { return Fate::kLate; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  server.link.fate = [](const std::string& path) { return path == io::kEtcdTxn ? Fate::kLate : Fate::kNone; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  server.link.fate = nullptr;
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  server.Renew();
  world.Pass(kTtlMs + 1000);
  other.Acquire();
  other.Renew();
  other.Release();
  server.link.DeliverLate();
  ASSERT_TRUE(world.Has("worker", 0));
  const int64_t ceiling_ms = world.Ceiling(0);
  EXPECT_EQ(server.Renew(ceiling_ms + 10000).outcome, StoreOutcome::kLost);
  EXPECT_EQ(world.Ceiling(0), ceiling_ms);
}

TEST(EtcdLeaseStore, TheOrderInWhichCallsArriveSideBySideDoesNotMatter) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.backwards = true;
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  for (int i = 0; i < 60; ++i) {
    world.Pass(2000);
    EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  }
}

TEST(EtcdLeaseStore, TheEtcdLeaseMayEndWhileAWorkerIdIsAskedFor) {
  EtcdWorld world;
  LeaseServer server(world);
  bool revoked = false;
  server.link.before_call = [&](std::string_view path, std::string_view) {
    if (path == io::kEtcdTxn && !std::exchange(revoked, true)) world.etcd.Revoke(LeaseOf(server.token.c_str()));
  };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.RoundTrips(), 4u);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

// ---- renewing

TEST(EtcdLeaseStore, ARenewalRaisesTheCeiling) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  StoreReply reply = server.Renew(kStartMs + 21000);
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.granted_ms, kStartMs + 21000);
  EXPECT_EQ(reply.rival, Rival::kNone);
  EXPECT_EQ(world.Ceiling(0), kStartMs + 21000);
  EXPECT_EQ(server.Renew(kStartMs + 21000).granted_ms, kStartMs + 21000) << "again";
  EXPECT_EQ(server.Renew(kStartMs + 20000).granted_ms, kStartMs + 20000);
  EXPECT_EQ(world.Ceiling(0), kStartMs + 21000) << "it is never lowered";
  EXPECT_EQ(server.RoundTrips(), 5u) << "one each";
}

TEST(EtcdLeaseStore, ARenewalWhoseReplyWasLostIsRepeated) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.link.fate = [](const std::string&) { return Fate::kReplyLost; };
  EXPECT_EQ(server.Renew(kStartMs + 21000).outcome, StoreOutcome::kFailed);
  server.link.fate = nullptr;
  EXPECT_EQ(server.Renew(kStartMs + 21000).granted_ms, kStartMs + 21000);
}

TEST(EtcdLeaseStore, AFormerHolderRaisesNothing) {
  EtcdWorld world;
  LeaseServer former(world, 1), next(world, 1);
  former.Acquire();
  former.Renew();
  former.link.fate = [](const std::string&) { return Fate::kLate; };
  EXPECT_EQ(former.Renew(kStartMs + 900000).outcome, StoreOutcome::kFailed);
  world.Pass(kTtlMs + 1000);
  EXPECT_EQ(next.Acquire().outcome, StoreOutcome::kOk);
  const int64_t ceiling_ms = world.Ceiling(0);
  former.link.DeliverLate();
  EXPECT_EQ(world.Ceiling(0), ceiling_ms);
  former.link.fate = nullptr;
  const StoreReply reply = former.Renew(kStartMs + 900000);
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kTaken);
  EXPECT_EQ(world.Ceiling(0), ceiling_ms);
  EXPECT_EQ(next.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, ACeilingWhoseReplyWasLostIsThisServersOwn) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew();
  for (int round = 0; round < 3; ++round) {
    const Fate fates[] = {Fate::kReplyLost, Fate::kRequestLost, Fate::kReplyLost};
    for (int i = 0; i <= round; ++i) {
      server.link.fate = [&](const std::string&) { return fates[i]; };
      world.Pass(1000);
      EXPECT_EQ(server.Renew().outcome, StoreOutcome::kFailed);
    }
    server.link.fate = nullptr;
    world.Pass(1000);
    server.link.sent.clear();
    const StoreReply reply = server.Renew();
    EXPECT_EQ(reply.outcome, StoreOutcome::kOk) << round;
    EXPECT_EQ(reply.granted_ms, world.now_ms + kWindowMs);
    EXPECT_EQ(world.Ceiling(0), reply.granted_ms);
    EXPECT_EQ(server.RoundTrips(), 2u);
    server.link.sent.clear();
    EXPECT_EQ(server.Renew(reply.granted_ms + 1).outcome, StoreOutcome::kOk);
    EXPECT_EQ(server.RoundTrips(), 1u);
  }
}

TEST(EtcdLeaseStore, ALateRenewalIsThisServersOwnOrHasNoEffect) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew();
  for (const bool before_the_next : {true, false}) {
    world.Pass(1000);
    server.link.fate = [](const std::string&) { return Fate::kLate; };
    EXPECT_EQ(server.Renew().outcome, StoreOutcome::kFailed);
    server.link.fate = nullptr;
    world.Pass(1000);
    if (before_the_next) server.link.DeliverLate();
    EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
    const int64_t ceiling_ms = world.Ceiling(0);
    server.link.DeliverLate();
    EXPECT_EQ(world.Ceiling(0), ceiling_ms);
    world.Pass(1000);
    EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  }
}

// A virtual machine that was copied while it ran: both copies have token, fence and ceiling.
TEST(EtcdLeaseStore, OfTwoCopiesOfARunningServerOneGoesOn) {
  EtcdWorld world;
  LeaseServer server(world), copy(world);
  server.Acquire();
  server.Renew();
  copy.CopyMemory(server);
  world.Pass(1000);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  EXPECT_EQ(copy.Renew().outcome, StoreOutcome::kOk) << "the same ceiling in the same millisecond is not noticed yet";
  world.Pass(1000);
  EXPECT_EQ(copy.Renew().outcome, StoreOutcome::kOk);
  world.Pass(1);
  const StoreReply reply = server.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kCopied);
  // Whoever leases again takes the lease over, since it knows fence and token; the other one has lost then.
  EXPECT_EQ(server.Acquire().worker, 0u);
  EXPECT_GE(server.floor_ms, copy.granted_ms);
  EXPECT_EQ(copy.Renew().why, Why::kTaken);
  EXPECT_EQ(copy.Acquire().worker, 1u);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  EXPECT_EQ(copy.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, ALeaseThatWasRevokedIsLost) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew();
  world.etcd.Revoke(LeaseOf(server.token.c_str()));
  const StoreReply reply = server.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kTaken);
}

TEST(EtcdLeaseStore, ACeilingThatSomebodyDeletedIsALoss) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew();
  world.Delete("ceiling", 0);
  const StoreReply reply = server.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kForgotten);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, TheEtcdLeaseIsKeptAliveWithFewCalls) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  constexpr int kTurns = 300;
  for (int i = 0; i < kTurns; ++i) {
    world.Pass(2000);
    ASSERT_EQ(server.Renew().outcome, StoreOutcome::kOk) << i;
  }
  EXPECT_EQ(server.RoundTrips(), 2u + kTurns);
  EXPECT_EQ(server.link.Count(io::kEtcdLeaseKeepAlive), kTurns / 6);
}

TEST(EtcdLeaseStore, AnotherProcessKeepsTheEtcdLeaseAliveAtOnce) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  world.Pass(25000);
  server.store.Close();
  server.store.Configure(server.settings);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.link.Count(io::kEtcdLeaseKeepAlive), 1);
  world.Pass(25000);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, TheTtlCountsAsItWasGranted) {
  for (const int64_t granted_s : {5, 300}) {
    EtcdWorld world;
    LeaseServer server(world);
    world.etcd.GrantTtl(granted_s);
    EXPECT_EQ(server.Acquire().expiry_ms, kStartMs + granted_s * 1000);
    for (int i = 0; i < 100; ++i) {
      world.Pass(1000);
      ASSERT_EQ(server.Renew().outcome, StoreOutcome::kOk) << granted_s << " " << i;
    }
    EXPECT_EQ(server.link.Count(io::kEtcdLeaseKeepAlive), granted_s == 5 ? 50 : 0);
  }
}

// ---- the previous lease

TEST(EtcdLeaseStore, ACrashedServerTakesItsOwnWorkerIdBackAtOnce) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  const int64_t fence = server.fence;
  server.Crash();
  server.link.sent.clear();
  const StoreReply reply = server.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_GT(reply.fence, fence);
  EXPECT_EQ(reply.floor_ms, kStartMs + kWindowMs);
  EXPECT_EQ(server.RoundTrips(), 2u);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  world.Pass(kTtlMs - 1000);  // the former etcd lease ends, and takes nothing with it
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  world.Pass(2000);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

// Two records for each worker id take etcd and this server a while.
TEST(EtcdLeaseStore, ACrashedServerNeedsNoList) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew();
  server.Crash();
  server.link.sent.clear();
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.link.Count(io::kEtcdRange), 0);
  EXPECT_EQ(server.RoundTrips(), 2u);
  // If somebody else has it by now, the same round trip has the list.
  const uint32_t worker = server.worker;
  server.Renew();
  server.Crash();
  LeaseServer other(world);
  other.previous = server.previous;
  other.Acquire();
  server.link.sent.clear();
  EXPECT_NE(server.Acquire().worker, worker);
  EXPECT_EQ(server.link.Count(io::kEtcdRange), 0);
  EXPECT_EQ(server.RoundTrips(), 2u);
}

TEST(EtcdLeaseStore, APreviousLeaseThatIsTooFarAheadCostsOneRoundTripMore) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew(kStartMs + 60000 + kTtlMs + 1000);
  const int64_t former = LeaseOf(server.token.c_str());
  server.Crash();
  server.link.sent.clear();
  EXPECT_EQ(server.Acquire().worker, 1u);
  EXPECT_EQ(server.RoundTrips(), 3u);
  EXPECT_FALSE(world.etcd.leases().contains(former)) << "nobody holds it any more";
  // Nor is one taken that this server may not have any more.
  server.Renew();
  server.Crash();
  server.settings.min_worker = 5;
  server.store.Configure(server.settings);
  EXPECT_EQ(server.Acquire().worker, 5u);
}

TEST(EtcdLeaseStore, TheFormerProcessOfTheSameServerHasLost) {
  EtcdWorld world;
  LeaseServer former(world), next(world);
  former.Acquire();
  former.Renew();
  next.previous = former.previous;
  EXPECT_EQ(next.Acquire().worker, former.worker);
  EXPECT_GE(next.floor_ms, former.granted_ms);
  EXPECT_EQ(former.Renew(former.granted_ms + 10000).outcome, StoreOutcome::kLost);
  EXPECT_EQ(world.Ceiling(0), former.granted_ms);
}

// The image of a virtual machine, started twice.
TEST(EtcdLeaseStore, OfTwoServersWithOnePreviousLeaseOneGetsIt) {
  EtcdWorld world;
  LeaseServer original(world);
  original.Acquire();
  original.Renew();
  LeaseServer clones[2] = {LeaseServer(world), LeaseServer(world)};
  for (LeaseServer& clone : clones) clone.previous = original.previous;
  clones[0].link.before_call = [&](std::string_view, std::string_view) {
    if (clones[0].Takes() && !clones[1].held) clones[1].Acquire();
  };
  clones[0].Acquire();
  EXPECT_EQ(clones[1].worker, original.worker);
  EXPECT_NE(clones[0].worker, original.worker);
  for (LeaseServer& clone : clones) EXPECT_EQ(clone.Renew().outcome, StoreOutcome::kOk);
  EXPECT_EQ(original.Renew().outcome, StoreOutcome::kLost);
}

TEST(EtcdLeaseStore, APreviousLeaseThatEndedIsNoMoreThanAnyOther) {
  EtcdWorld world;
  LeaseServer server(world, 1), other(world, 1);
  server.Acquire();
  server.Renew();
  world.Pass(kTtlMs + 1000);
  other.Acquire();
  server.Crash();
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kBusy);
  EXPECT_EQ(other.Renew().outcome, StoreOutcome::kOk);
}

// In a store that was made again, another server's lease may have the same revision.
TEST(EtcdLeaseStore, TheRevisionAloneDoesNotMakeALeaseOnesOwn) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  EtcdWorld made_again;
  made_again.now_ms = world.now_ms;
  LeaseServer other(made_again, 1);
  other.Acquire();
  ASSERT_EQ(other.fence, server.fence);
  LeaseServer moved(made_again, 1);
  moved.previous = server.previous;
  EXPECT_EQ(moved.Acquire().outcome, StoreOutcome::kBusy);
  moved.worker = server.worker;
  moved.fence = server.fence;
  moved.token = server.token;
  EXPECT_EQ(moved.Renew().outcome, StoreOutcome::kLost);
  EXPECT_EQ(other.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, ALateCopyOfASwapDoesNotUndoALaterOne) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  server.Crash();
  server.link.fate = [&](const std::string&) { return server.Takes() ? Fate::kLate : Fate::kNone; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  EXPECT_EQ(server.link.late_count(), 1u);
  server.link.fate = nullptr;
  server.Crash();
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  server.link.DeliverLate();
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, ASwapWhoseReplyWasLostIsFoundAgain) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  server.Crash();
  server.link.fate = [&](const std::string&) { return server.Takes() ? Fate::kReplyLost : Fate::kNone; };
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  server.link.fate = nullptr;
  server.link.sent.clear();
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.RoundTrips(), 1u);
  EXPECT_EQ(server.floor_ms, kStartMs + kWindowMs);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

// Each start begins at the ceiling of the one before. So the lead is bounded, and no worker id is left behind.
TEST(EtcdLeaseStore, ACrashLoopNeitherRunsAheadNorUsesUpWorkerIds) {
  EtcdWorld world;
  LeaseServer server(world);
  int64_t lead_ms = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
    server.Renew();
    lead_ms = std::max(lead_ms, server.granted_ms - world.now_ms);
    server.Crash();
    world.Pass(1000);
    EXPECT_LE(world.CountWorkers(), 1);
  }
  EXPECT_LE(lead_ms, 60000 + kTtlMs + kWindowMs);
}

TEST(EtcdLeaseStore, APreviousWorkerIdThatIsStaticNowIsNotTaken) {
  EtcdWorld world;
  LeaseServer server(world), rival(world);
  server.Acquire();
  server.Renew();
  rival.Present(server.worker, kStartMs);
  server.Crash();
  EXPECT_EQ(server.Acquire().worker, 1u);
}

// ---- releasing

TEST(EtcdLeaseStore, AReleaseKeepsTheCeiling) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  server.Renew();
  server.link.sent.clear();
  EXPECT_EQ(server.Release().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.RoundTrips(), 1u);
  EXPECT_FALSE(world.Has("worker", 0));
  EXPECT_EQ(world.Ceiling(0), kStartMs + kWindowMs);
}

TEST(EtcdLeaseStore, AReleaseOfWhatIsGoneHasLost) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  world.Pass(kTtlMs + 1000);
  EXPECT_EQ(server.Release().outcome, StoreOutcome::kLost);
}

TEST(EtcdLeaseStore, AnAcquisitionThatWasNeverAnsweredCanBeReleased) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.fate = [](const std::string& path) { return path == io::kEtcdTxn ? Fate::kReplyLost : Fate::kNone; };
  server.Acquire();
  ASSERT_TRUE(world.Has("worker", 0));
  server.link.fate = nullptr;
  EXPECT_EQ(server.Release().outcome, StoreOutcome::kOk);
  EXPECT_FALSE(world.Has("worker", 0));
}

// ---- a store that went back in time

TEST(EtcdLeaseStore, AStoreThatWentBackHasForgottenTheLease) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  const sim::EtcdModel snapshot = world.etcd;
  world.Pass(2000);
  server.Renew();
  world.Pass(2000);
  server.Renew();
  const int64_t granted_ms = server.granted_ms;
  world.etcd = snapshot;
  ASSERT_LT(world.Ceiling(0), granted_ms);
  const StoreReply reply = server.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kForgotten);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_GE(server.floor_ms, granted_ms);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

// Other servers' writes have made up for the revisions, so that only the ceiling tells.
TEST(EtcdLeaseStore, AStoreThatWentBackIsNoticedByItsCeilingToo) {
  EtcdWorld world;
  LeaseServer server(world), other(world);
  server.Acquire();
  server.Renew();
  const sim::EtcdModel snapshot = world.etcd;
  world.Pass(2000);
  server.Renew();
  world.etcd = snapshot;
  other.Acquire();
  for (int i = 0; i < 5; ++i) other.Renew(kStartMs + kWindowMs + i);
  ASSERT_GT(world.etcd.revision(), server.revision);
  world.Pass(1000);
  const StoreReply reply = server.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kForgotten);
  EXPECT_EQ(world.Ceiling(0), kStartMs + 3000 + kWindowMs) << "before somebody else gets the worker id";
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
}

TEST(EtcdLeaseStore, AServerThatWasDownMakesUpForWhatTheStoreForgot) {
  EtcdWorld world;
  sim::EtcdModel snapshot = world.etcd;
  LeaseServer server(world, 1);
  for (int i = 0; i < 3; ++i) {
    server.Acquire();
    server.Renew(kStartMs + kWindowMs);
    server.Release();
  }
  server.Acquire();
  server.Renew(kStartMs + kWindowMs);
  server.Crash();
  world.etcd = snapshot;
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_GE(server.floor_ms, kStartMs + kWindowMs);
  EXPECT_GE(world.Ceiling(0), kStartMs + kWindowMs);
}

// Its last lease is older than the snapshot, so that only the revision tells.
TEST(EtcdLeaseStore, AServerThatCrashedKnowsTheHighestRevision) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  const sim::EtcdModel snapshot = world.etcd;
  world.Pass(2000);
  server.Renew();
  server.Crash();
  world.etcd = snapshot;
  server.revision = server.previous.revision;  // as LeaseSource takes it from the local file
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_GE(server.floor_ms, kStartMs + 2000 + kWindowMs);
}

// ---- another cluster

// As the endpoints of the URL would, if others answered.
void BecomeOtherCluster(EtcdWorld& world, const sim::EtcdModel& etcd = {}) {
  world.etcd = etcd;
  world.etcd.cluster_id = 0xb;
}

TEST(EtcdLeaseStore, WhatAnotherClusterSaysOfALeaseIsALoss) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  EXPECT_EQ(server.cluster, world.etcd.cluster_id);
  BecomeOtherCluster(world, world.etcd);  // a copy: fence, token and ceiling are there, too
  const StoreReply reply = server.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kLost);
  EXPECT_EQ(reply.why, Why::kOtherCluster);
  EXPECT_EQ(reply.cluster, 0xbu);
}

TEST(EtcdLeaseStore, AnotherClusterGrantsNothingButIsToldTheCeiling) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  BecomeOtherCluster(world);
  server.Renew();
  server.link.sent.clear();
  const StoreReply reply = server.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kBusy);
  EXPECT_EQ(reply.why, Why::kOtherCluster);
  EXPECT_EQ(reply.cluster, 0xbu);
  EXPECT_EQ(world.CountWorkers(), 0);
  EXPECT_EQ(world.Ceiling(0), server.granted_ms);
  EXPECT_EQ(server.RoundTrips(), 2u);
  // Whoever leases the worker id there starts above it.
  LeaseServer other(world, 1);
  EXPECT_EQ(other.Acquire().floor_ms, server.granted_ms);
}

TEST(EtcdLeaseStore, AnotherClusterThatIsTrustedGrants) {
  for (const bool is_copy : {false, true}) {
    EtcdWorld world;
    LeaseServer server(world, 1);
    server.Acquire();
    server.Renew();
    const int64_t granted_ms = server.granted_ms;
    const sim::EtcdModel snapshot = world.etcd;
    world.Pass(2000);
    server.Renew();
    BecomeOtherCluster(world, is_copy ? snapshot : sim::EtcdModel());
    server.Crash();
    server.cluster = 0xb;
    server.link.sent.clear();
    EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
    EXPECT_GT(server.floor_ms, granted_ms) << "the ceiling was made up for";
    EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
    EXPECT_EQ(server.previous.cluster, 0xbu);
  }
}

// The reply to the list came from one cluster, and the next request goes to another.
TEST(EtcdLeaseStore, AnAcquisitionIsOfOneCluster) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.before_call = [&](std::string_view path, std::string_view) {
    if (path == io::kEtcdTxn) BecomeOtherCluster(world, world.etcd);
  };
  StoreReply reply = server.Acquire();
  EXPECT_EQ(reply.outcome, StoreOutcome::kBusy);
  EXPECT_EQ(reply.why, Why::kOtherCluster);
  EXPECT_EQ(reply.cluster, 0xbu);
  server.link.before_call = nullptr;
  BecomeOtherCluster(world, world.etcd);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk) << "of which it got the worker id";
}

TEST(EtcdLeaseStore, ARecordOfTheFormerFormKnowsNoCluster) {
  EtcdWorld world;
  LeaseServer server(world, 1);
  server.Acquire();
  server.Renew();
  server.Crash();
  server.previous.cluster = 0;
  server.cluster = 0;
  server.link.sent.clear();
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.RoundTrips(), 2u);
}

// ---- static worker ids

TEST(EtcdLeaseStore, StaticWorkerIdsAreAnnounced) {
  EtcdWorld world;
  LeaseServer server(world);
  StoreReply reply = server.Present(5, kStartMs + 40000);
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.rival, Rival::kNone);
  EXPECT_EQ(server.RoundTrips(), 2u);
  EXPECT_EQ(world.At("static", 5).lease, LeaseOf(server.token.c_str()));
  EXPECT_EQ(world.Ceiling(5), kStartMs + 40000);
  for (int i = 0; i < 60; ++i) {
    world.Pass(2000);
    reply = server.Present(5, world.now_ms + 40000);
    EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
    EXPECT_EQ(reply.rival, Rival::kNone);
  }
  EXPECT_EQ(server.RoundTrips(), 62u);
  EXPECT_EQ(world.Ceiling(5), world.now_ms + 40000);
  world.Pass(kTtlMs + 1000);
  EXPECT_FALSE(world.Has("static", 5));
  server.link.sent.clear();
  EXPECT_EQ(server.Present(5, world.now_ms).outcome, StoreOutcome::kOk) << "after an outage";
  EXPECT_EQ(world.Ceiling(5), world.now_ms - kTtlMs - 1000 + 40000) << "it is never lowered";
}

TEST(EtcdLeaseStore, TwoServersWithOneStaticWorkerIdSeeEachOther) {
  EtcdWorld world;
  LeaseServer first(world), second(world);
  first.Present(5, kStartMs);
  StoreReply reply = second.Present(5, kStartMs);
  EXPECT_EQ(reply.rival, Rival::kStatic);
  EXPECT_EQ(reply.rival_holder, first.holder);
  reply = first.Present(5, kStartMs);
  EXPECT_EQ(reply.rival, Rival::kStatic);
  EXPECT_EQ(reply.rival_holder, second.holder);
}

TEST(EtcdLeaseStore, AStaticWorkerIdAndALeaseSeeEachOther) {
  EtcdWorld world;
  LeaseServer leased(world), announced(world);
  leased.Acquire();
  leased.Renew();
  StoreReply reply = announced.Present(0, kStartMs + 90000);
  EXPECT_EQ(reply.rival, Rival::kLease);
  EXPECT_EQ(reply.rival_holder, leased.holder);
  reply = leased.Renew();
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.granted_ms, kStartMs + kWindowMs) << "the ceiling is higher already";
  EXPECT_EQ(reply.rival, Rival::kStatic);
  EXPECT_EQ(reply.rival_holder, announced.holder);
}

TEST(EtcdLeaseStore, AStaticWorkerIdIsLeasedToNobodyAndLaterFromItsCeiling) {
  EtcdWorld world;
  LeaseServer announced(world), leased(world, 1);
  announced.Present(0, kStartMs + 40000);
  EXPECT_EQ(leased.Acquire().outcome, StoreOutcome::kBusy);
  // Announced between list and transaction.
  world.Pass(kTtlMs + 1000);
  leased.link.before_call = [&](std::string_view path, std::string_view) {
    if (path == io::kEtcdTxn) announced.Present(0, world.now_ms + 40000);
  };
  EXPECT_EQ(leased.Acquire().outcome, StoreOutcome::kBusy);
  leased.link.before_call = nullptr;
  world.Pass(kTtlMs + 1000);
  EXPECT_EQ(leased.Acquire().floor_ms, kStartMs + 31000 + 40000);
}

// ---- the list

TEST(EtcdLeaseStore, ListsRecords) {
  EtcdWorld world;
  LeaseServer held(world), freed(world), announced(world);
  held.Acquire();
  held.Renew();
  freed.Acquire();
  freed.Renew();
  freed.Release();
  announced.Present(9, kStartMs + 40000);
  LeaseServer client(world);
  EXPECT_EQ(client.Simply(Kind::kList).outcome, StoreOutcome::kOk);
  EXPECT_EQ(client.RoundTrips(), 1u);
  std::map<uint32_t, StoreRecord> records;
  for (size_t i = 0; i < client.store.record_count(); ++i) {
    StoreRecord record;
    if (client.store.Record(i, &record)) records[record.worker] = record;
  }
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].fence, held.fence);
  EXPECT_EQ(records[0].ceiling_ms, kStartMs + kWindowMs);
  EXPECT_EQ(records[0].expiry_ms, 0);
  EXPECT_FALSE(records[0].free);
  EXPECT_EQ(std::string(records[0].token, kTokenBytes), held.token);
  EXPECT_EQ(records[0].holder, held.holder);
  EXPECT_TRUE(records[1].free);
  EXPECT_EQ(records[1].ceiling_ms, kStartMs + kWindowMs);
  EXPECT_TRUE(records[9].is_static);
  EXPECT_EQ(records[9].holder, announced.holder);
}

TEST(EtcdLeaseStore, RecordsThatAreNoneAreLeftOut) {
  EtcdWorld world;
  const auto put = [&](const std::string& name, const std::string& value) {
    std::string key, text;
    sim::AppendBase64(kPrefix + name, &key);
    sim::AppendBase64(value, &text);
    world.etcd.Call("kv/put", R"({"key":")" + key + R"(","value":")" + text + "\"}", world.now_ms);
  };
  const std::string good = NewToken() + "|h|1|/d";
  for (const char* name : {"worker/1", "worker/00000001", "worker/000000x", "worker/9999999", "other/0000001",
                           "worker/", "worker/-000001"})
    put(name, good);
  put("worker/0000002", "");
  put("worker/0000003", "short|h");
  put("worker/0000004", NewToken());
  LeaseServer client(world);
  EXPECT_EQ(client.Simply(Kind::kList).outcome, StoreOutcome::kOk);
  StoreRecord record;
  for (size_t i = 0; i < client.store.record_count(); ++i) EXPECT_FALSE(client.store.Record(i, &record)) << i;
  EXPECT_FALSE(client.store.Record(client.store.record_count(), &record));
  // They are in the way all the same.
  EXPECT_EQ(client.Acquire().worker, 0u);
  LeaseServer next(world), last(world);
  EXPECT_EQ(next.Acquire().worker, 1u);
  EXPECT_EQ(last.Acquire().worker, 5u);
}

TEST(EtcdLeaseStore, ANewPrefixCanBeDeclaredButNobodyWaitsForIt) {
  EtcdWorld world;
  LeaseServer server(world), client(world);
  const StoreReply reply = client.Simply(Kind::kDeclareNew);
  EXPECT_EQ(reply.outcome, StoreOutcome::kOk);
  EXPECT_EQ(reply.until_ms, kStartMs);
  server.Acquire();
  EXPECT_EQ(client.Simply(Kind::kDeclareNew).outcome, StoreOutcome::kInUse);
}

// ---- failures

TEST(EtcdLeaseStore, AnErrorOfEtcdIsAFailureInItsWords) {
  EtcdWorld world;
  LeaseServer server(world);
  server.Acquire();
  world.etcd.SetNoSpace(true);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kFailed);
  EXPECT_STREQ(server.store.problem(), "the store says: etcdserver: mvcc: database space exceeded");
  EXPECT_NE(std::string(server.store.failure_advice()).find("etcdctl alarm disarm"), std::string::npos);
  server.store.Begin({}, world.now_ms * core::kUsPerMs);
  EXPECT_NE(server.store.failure_advice(), nullptr) << "while the next request is under way";
  world.etcd.SetNoSpace(false);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.store.failure_advice(), nullptr);
}

TEST(EtcdLeaseStore, AFailureOfTheLinkIsAFailureWithItsProblem) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.fate = [](const std::string&) { return Fate::kRequestLost; };
  for (const Kind kind :
       {Kind::kAcquire, Kind::kRenew, Kind::kRelease, Kind::kList, Kind::kDeclareNew, Kind::kPresent}) {
    server.token = NewToken();
    EXPECT_EQ(server.Simply(kind).outcome, StoreOutcome::kFailed);
    EXPECT_STREQ(server.store.problem(), "no reply");
  }
}

TEST(EtcdLeaseStore, PrefixesThatAreTooLongAreAFailure) {
  EtcdWorld world;
  LeaseServer server(world);
  server.link.prefix = "/" + std::string(2000, 'x');
  server.store.Configure(server.settings);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  EXPECT_NE(std::string(server.store.problem()).find("too long"), std::string::npos);
}

// ---- all of it at random

// The only promise that ids rest on: whoever acquires a worker id starts at or above every ceiling that was granted to
// anybody for it before, and whatever is granted is in the store.
TEST(EtcdLeaseStore, SuccessiveHoldersNeverShareATime) {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    std::mt19937 random(seed);
    const auto upto = [&](unsigned bound) { return random() % bound; };
    EtcdWorld world;
    std::map<uint32_t, int64_t> highest;  // granted, per worker id
    std::deque<LeaseServer> servers;
    for (unsigned i = 0; i < 5; ++i) {
      servers.emplace_back(world, 4);
      servers.back().clock_ahead_ms = upto(4) == 0 ? static_cast<int64_t>(upto(50000)) - 25000 : 0;
      servers.back().link.fate = [&](const std::string&) {
        const unsigned luck = upto(40);
        constexpr Fate kFates[] = {Fate::kNone, Fate::kReplyLost, Fate::kAgain, Fate::kLate, Fate::kRequestLost};
        return luck > 4 ? Fate::kNone : kFates[luck];
      };
    }
    int acquired = 0, granted = 0, swapped = 0;
    for (int step = 0; step < 600; ++step) {
      LeaseServer& server = servers[upto(5)];
      LeaseServer& other = servers[upto(5)];
      bool came_between = &other == &server || upto(3) != 0;
      server.link.before_call = [&](std::string_view, std::string_view) {
        if (std::exchange(came_between, true) || !other.held) return;
        upto(2) == 0 ? other.Release() : other.Renew();
        highest[other.worker] = std::max(highest[other.worker], other.granted_ms);
      };
      switch (upto(10)) {
        case 0: world.Pass(upto(20000)); break;
        case 1: server.link.DeliverLate(); break;
        case 2: server.Crash(upto(4) != 0); break;
        case 3:
          if (upto(3) == 0) server.previous = other.previous;  // a clone
          break;
        case 4:
          if (server.held) server.Release();
          break;
        default:
          if (!server.held) {
            const FencedLease previous = server.previous;
            const bool has = server.Acquire().outcome == StoreOutcome::kOk;
            acquired += has;
            if (!has) break;
            swapped += previous.known() && server.worker == previous.worker;
            EXPECT_GE(server.floor_ms, highest[server.worker]) << "seed " << seed << " step " << step;
          } else if (server.Renew().outcome == StoreOutcome::kOk) {
            ++granted;
            EXPECT_LE(server.granted_ms, world.Ceiling(server.worker));
            EXPECT_EQ(world.At("worker", server.worker).mod_revision, server.fence);
            highest[server.worker] = std::max(highest[server.worker], server.granted_ms);
          }
      }
      server.link.before_call = nullptr;
    }
    EXPECT_GT(acquired, 5);
    EXPECT_GT(granted, 20);
    EXPECT_GT(swapped, 0);
  }
}

TEST(EtcdLeaseStore, AWorkerIdWithADamagedCeilingIsNotLeased) {
  for (const char* damaged : {"", "0", "tomorrow"}) {
    EtcdWorld world;
    const auto damage = [&](uint32_t worker) {
      wire::EtcdBody body;
      body.Put(world.Name("ceiling", worker), damaged);
      ASSERT_EQ(world.etcd.Call("/v3/kv/put", body.text(), world.now_ms).http_status, 200);
      body.Free();
    };
    damage(0);
    LeaseServer server(world, 2), other(world, 2);
    EXPECT_EQ(server.Acquire().worker, 1u) << damaged;
    EXPECT_EQ(other.Acquire().outcome, StoreOutcome::kBusy);
    // The reply to this acquisition was lost, and the same token asks again.
    damage(1);
    server.held = false;
    EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kFailed);
  }
}

// ---- a restored store whose revisions others have made up for

TEST(EtcdLeaseStore, ALowerCeilingShowsThatTheStoreWentBack) {
  EtcdWorld world;
  LeaseServer server(world), other(world);
  server.Acquire();
  server.Renew();
  const sim::EtcdModel snapshot = world.etcd;
  world.Pass(2000);
  server.Renew();
  const int64_t granted_ms = server.granted_ms;
  server.Crash();
  world.etcd = snapshot;
  other.Acquire();
  for (int i = 0; i < 5; ++i) other.Renew(kStartMs + kWindowMs + i);
  server.revision = server.previous.revision;
  ASSERT_GT(world.etcd.revision(), server.revision);
  EXPECT_EQ(server.Acquire().outcome, StoreOutcome::kOk);
  EXPECT_EQ(server.worker, 0u);
  EXPECT_GE(server.floor_ms, granted_ms);
}

TEST(EtcdLeaseStore, ACeilingIsMadeUpForIfTheKeyIsGone) {
  EtcdWorld world;
  LeaseServer server(world, 2), other(world, 3);
  const sim::EtcdModel snapshot = world.etcd;
  server.Acquire();
  server.Renew();
  world.Pass(2000);
  server.Renew();
  const int64_t granted_ms = server.granted_ms;
  world.etcd = snapshot;
  other.settings.min_worker = 2;
  other.store.Configure(other.settings);
  other.Acquire();
  for (int i = 0; i < 9; ++i) other.Renew(kStartMs + kWindowMs + i);
  ASSERT_GT(world.etcd.revision(), server.revision);
  EXPECT_EQ(server.Renew().outcome, StoreOutcome::kLost);
  server.Acquire();
  EXPECT_GE(world.Ceiling(0), granted_ms);
}

TEST(EtcdLeaseStore, ACeilingThatSomebodyDeletedIsMadeUpFor) {
  EtcdWorld world;
  LeaseServer server(world, 2);
  server.Acquire();
  server.Renew();
  server.Crash();
  world.Delete("ceiling", 0);
  server.Acquire();
  EXPECT_GE(world.Ceiling(0), server.previous.ceiling_ms);
  EXPECT_TRUE(server.worker != 0 || server.floor_ms >= server.previous.ceiling_ms);
}

}  // namespace
}  // namespace idgen::lease
