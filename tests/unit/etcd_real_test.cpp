// The link against a real etcd, if there is one: what its gateway does where the tests of the parts assume it.
#ifdef IDGEN_ETCD
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/time.h"
#include "io/clock.h"
#include "io/etcd/connection.h"

namespace idgen::io {
namespace {

using State = EtcdLink::State;
using wire::EtcdBody;
using wire::EtcdKv;
using wire::EtcdOp;

// A port that was free a moment ago.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in own = {};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&own), size), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
  close(fd);
  return ntohs(own.sin_port);
}

class RealEtcd : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    if (system("command -v etcd >/dev/null") != 0) GTEST_SKIP() << "etcd is not installed";
    ASSERT_NE(mkdtemp(folder_), nullptr);
    const std::string own = "127.0.0.1:" + std::to_string(FreePort()),
                      peers = "127.0.0.1:" + std::to_string(FreePort());
    const std::string command = "exec etcd --name own --data-dir " + std::string(folder_) +
                                " --listen-client-urls http://" + own + " --advertise-client-urls http://" + own +
                                " --listen-peer-urls http://" + peers + " --initial-advertise-peer-urls http://" +
                                peers + " --initial-cluster own=http://" + peers + " --logger zap >" + folder_ +
                                "/log 2>&1";
    process_ = fork();
    if (process_ == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    url_ = "etcd://" + own + "/idgen";
    access_.url = url_.c_str();
    access_.connect_timeout_us = access_.timeout_us = 30 * core::kUsPerSecond;
    link().Configure(access_);
    for (int i = 0; i < 600 && !is_up_; ++i) {
      link().NewExchange();
      link().AddCall(kEtcdRange, true).Range("k");
      is_up_ = Run() == State::kDone;
      if (!is_up_) usleep(50000);
    }
    ASSERT_TRUE(is_up_) << link().problem();
  }
  void TearDown() override {
    link().Close();
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    EXPECT_EQ(system(("rm -rf " + std::string(folder_)).c_str()), 0);
  }

  EtcdLink& link() { return connection_.link; }

  State Run() {
    link().Begin(BootUs(), 0);
    State state;
    while ((state = link().Step(BootUs())) == State::kBusy) {
      const Wants wants = link().wants(BootUs());
      pollfd polled = {.fd = wants.fd,
                       .events = static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)),
                       .revents = 0};
      poll(&polled, wants.fd >= 0 ? 1 : 0,
           static_cast<int>(std::clamp<int64_t>((wants.wake_boot_us - BootUs()) / core::kUsPerMs + 1, 0, 100)));
    }
    return state;
  }

  EtcdConnection connection_;
  StoreAccess access_;
  std::string url_;
  char folder_[32] = "/tmp/idgen_etcd_test.XXXXXX";
  pid_t process_ = -1;
  bool is_up_ = false;
};

// One test, since every one starts an etcd.
TEST_F(RealEtcd, AnswersAsAssumed) {
  constexpr int64_t kLease = INT64_MAX - 1, kGone = 4711;
  const std::string key(link().key_prefix()), value("\x00\xff", 2);
  ASSERT_EQ(key, "/idgen");
  const auto next = [this](int calls) {
    EXPECT_EQ(Run(), State::kDone) << link().problem();
    for (int i = 0; i < calls; ++i) EXPECT_TRUE(link().reply(i).error_code() != 0 || link().reply(i).cluster_id() != 0);
  };

  link().NewExchange();
  link().AddCall(kEtcdLeaseGrant, true).LeaseGrant(kLease, 1);
  link().AddCall(kEtcdLeaseKeepAlive, true).Lease(kGone);
  link().AddCall(kEtcdLeaseRevoke, true).Lease(kGone);
  link().AddCall(kEtcdPut, true).Put(key, value, kGone);
  next(4);
  EXPECT_EQ(link().reply(0).lease_id(), kLease);
  EXPECT_GE(link().reply(0).ttl_s(), 1) << "may be more than was asked";
  EXPECT_EQ(link().reply(1).error_code(), wire::kEtcdOk);
  EXPECT_EQ(link().reply(1).ttl_s(), 0) << "of a lease that is gone";
  EXPECT_EQ(link().reply(2).error_code(), wire::kEtcdNotFound);
  EXPECT_EQ(link().reply(3).error_code(), wire::kEtcdNotFound);
  const int64_t wall_ms = ReadUs(CLOCK_REALTIME) / core::kUsPerMs;
  EXPECT_LT(std::abs(link().store_now_ms() - wall_ms), 60 * core::kMsPerSecond);

  link().NewExchange();
  link().AddCall(kEtcdLeaseGrant, true).LeaseGrant(kLease, 1);
  EtcdBody& txn = link().AddCall(kEtcdTxn, false);
  txn.BeginTxn();
  txn.CompareRevision(key, EtcdBody::Revision::kCreate, EtcdBody::Relation::kEqual, 0);
  txn.CompareRevision(key, EtcdBody::Revision::kLease, EtcdBody::Relation::kEqual, 0);
  txn.Then();
  txn.Put(key, value, kLease);
  txn.BeginTxn();
  txn.CompareValue("missing", EtcdBody::Relation::kNotEqual, "x");
  txn.Else();
  txn.Delete("missing");
  txn.EndTxn();
  txn.Range("/", "0", 10);
  txn.EndTxn();
  next(2);
  EXPECT_EQ(link().reply(0).error_code(), wire::kEtcdFailedPrecondition) << "the lease id is taken";
  const wire::EtcdReply& won = link().reply(1);
  const int64_t revision = won.revision();
  ASSERT_TRUE(won.succeeded()) << won.error();
  ASSERT_EQ(won.op_count(), 3);
  EXPECT_EQ(won.op(0).kind(), EtcdOp::Kind::kPut);
  EXPECT_EQ(won.op(1).kind(), EtcdOp::Kind::kTxn);
  EXPECT_FALSE(won.op(1).succeeded()) << "no comparison of a value is true without a key";
  EXPECT_EQ(won.op(1).op(0).kind(), EtcdOp::Kind::kDelete);
  EtcdKv kv;
  ASSERT_TRUE(won.op(2).kv(0, &kv));
  EXPECT_EQ(kv.key, key);
  EXPECT_EQ(kv.value, value);
  EXPECT_EQ(kv.lease, kLease);
  EXPECT_EQ(kv.mod_revision, revision);

  link().NewExchange();
  EtcdBody& lost = link().AddCall(kEtcdTxn, false);
  lost.BeginTxn();
  lost.CompareRevision(key, EtcdBody::Revision::kMod, EtcdBody::Relation::kNotEqual, revision);
  lost.Else();
  lost.Range(key);
  lost.EndTxn();
  EtcdBody& twice = link().AddCall(kEtcdTxn, false);
  twice.BeginTxn();
  twice.Then();
  twice.Put(key, "1");
  twice.Put(key, "2");
  twice.EndTxn();
  next(2);
  EXPECT_FALSE(link().reply(0).succeeded());
  EXPECT_EQ(link().reply(0).op(0).kv_count(), 1);
  EXPECT_EQ(link().reply(1).error_code(), wire::kEtcdInvalidArgument) << "a key is put twice";

  link().NewExchange();
  EtcdBody& deep = link().AddCall(kEtcdTxn, false);
  for (int i = 0; i < EtcdBody::kMaxTxnDepth; ++i) {
    deep.BeginTxn();
    deep.CompareRevision(key, EtcdBody::Revision::kCreate, EtcdBody::Relation::kEqual, 0);
    deep.Else();
  }
  deep.Range(key);
  for (int i = 0; i < EtcdBody::kMaxTxnDepth; ++i) deep.EndTxn();
  next(1);
  EtcdOp op = link().reply(0).op(0);
  for (int i = 1; i < EtcdBody::kMaxTxnDepth; ++i) op = op.op(0);
  EXPECT_EQ(op.kv_count(), 1) << "the deepest transaction " << link().reply(0).error();

  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = 0;
  link().NewExchange();
  link().AddCall(kEtcdRange, true).Range(key);
  EXPECT_EQ(Run(), State::kFailed);
  EXPECT_STREQ(link().reason(), "Connection refused");
  EXPECT_EQ(system(("rm -rf " + std::string(folder_)).c_str()), 0);
}

}  // namespace
}  // namespace idgen::io
#endif
