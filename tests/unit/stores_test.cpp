// Which store a URL names, and what stands in for a store before the settings name one.
#include "lease/stores.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "sequencer/stores.h"

namespace idgen {
namespace {

const char* UrlKindOf(const char* url) {
  const io::UrlKind* kind = io::FindUrlKind(lease::LeaseUrlKind, url);
  return kind != nullptr ? kind->schemes : "none";
}

TEST(Stores, AreNamedByTheSchemeOfTheUrl) {
  for (const char* url : {"redis://a", "rediss://a", "redis+sentinel://a/m", "rediss+sentinel://a/m", "unix:///a"}) {
    EXPECT_NE(std::string(UrlKindOf(url)).find("redis://"), std::string::npos) << url;
    EXPECT_EQ(io::FindUrlKind(sequencer::SequenceUrlKind, url), io::FindUrlKind(lease::LeaseUrlKind, url)) << url;
  }
  for (const char* url : {"etcd://a", "etcds://a,b/c"})
    EXPECT_EQ(std::string(UrlKindOf(url)), "etcd:// or etcds://") << url;
  for (const char* url : {"", "redis:/a", "redis", "etcd:/a", "etcd", "Redis://a", " redis://a", "Etcd://a"})
    EXPECT_STREQ(UrlKindOf(url), "none");
}

TEST(Stores, OnlyRedisForgetsSequences) {
  EXPECT_TRUE(io::FindUrlKind(sequencer::SequenceUrlKind, "redis://a")->forgets);
  EXPECT_FALSE(io::FindUrlKind(sequencer::SequenceUrlKind, "etcd://a")->forgets);
  EXPECT_FALSE(io::FindUrlKind(sequencer::SequenceUrlKind, "etcds://a")->forgets);
}

TEST(Stores, AUrlIsValidatedByItsKind) {
  const io::UrlKind& kind = *lease::LeaseUrlKind(0);
  io::PasswordPosition password;
  EXPECT_EQ(kind.validate("redis://user:secret@a:1/2", &password), nullptr);
  EXPECT_EQ(password.at, strlen("redis://user:"));
  EXPECT_EQ(password.size, strlen("secret"));
  EXPECT_STREQ(kind.validate("redis://[a", &password), "the bracket after an IPv6 address is missing");
}

// The number is part of the local file's records: a server must recognize its lease after an upgrade.
TEST(Stores, TheIdentityOfAUrlNeverChanges) {
  const io::UrlKind& kind = *lease::LeaseUrlKind(0);
  EXPECT_EQ(kind.identify("redis://a:1/2"), kind.identify("redis://user:secret@a:1/2"));
  EXPECT_NE(kind.identify("redis://a:1/2"), kind.identify("redis://a:1/3"));
  EXPECT_EQ(kind.identify("redis://127.0.0.1:6379"), 0x56ddc9da9fcab2e8u);
  EXPECT_EQ(kind.identify("unix:///run/redis/redis.sock?db=1"), 0xa1a0c1b8068c8022u);
}

TEST(Stores, TextsOfKindsAreJoinedAndCut) {
  char text[200];
  io::JoinUrlTexts(lease::LeaseUrlKind, &io::UrlKind::schemes, ", or ", text, sizeof text);
  EXPECT_EQ(std::string(text),
            std::string(lease::LeaseUrlKind(0)->schemes) + ", or " + lease::LeaseUrlKind(1)->schemes);
  io::JoinUrlTexts(lease::LeaseUrlKind, &io::UrlKind::schemes, ", or ", text, 6);
  EXPECT_STREQ(text, "redis");
}

TEST(Stores, EveryRequestFailsWithoutALeaseStore) {
  lease::ConfiguredLeaseStore store;
  lease::StoreReply reply;
  store.Begin({}, 1);
  EXPECT_TRUE(store.Step(1, &reply));
  EXPECT_EQ(reply.outcome, lease::StoreOutcome::kFailed);
  EXPECT_STREQ(store.problem(), "no lease store is configured");
  EXPECT_EQ(store.record_count(), 0u);
  EXPECT_EQ(store.advice(), nullptr);
  store.Close();
}

TEST(Stores, AStoreThatFailsOverWantsReplicas) {
  lease::ConfiguredLeaseStore store;
  lease::LeaseStoreSettings settings;
  settings.access.url = "redis+sentinel://10.0.0.1/master";
  store.Configure(settings);
  EXPECT_NE(std::string(store.advice()).find("idgen.redis_replicas"), std::string::npos);
  settings.replicas = 1;
  store.Configure(settings);
  EXPECT_EQ(store.advice(), nullptr);
  settings = {};
  settings.access.url = "redis://10.0.0.1";
  store.Configure(settings);
  EXPECT_EQ(store.advice(), nullptr);
  store.Close();
}

TEST(Stores, EveryOperationFailsWithoutASequenceStore) {
  sequencer::ConfiguredSequenceStore store;
  EXPECT_EQ(store.Step(1), sequencer::SequenceStore::State::kFailed);
  EXPECT_STREQ(store.problem(), "no sequence store is configured");
  EXPECT_EQ(store.connection(), 0u);
  io::StoreAccess access;
  access.url = "redis://10.0.0.1";
  store.Configure(access);
  EXPECT_EQ(store.connection(), 0u);
  store.Close();
}

}  // namespace
}  // namespace idgen
