// Reading the URL of an etcd cluster.
#include "wire/etcd_url.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "io/etcd/urls.h"

namespace idgen::wire {
namespace {

EtcdUrl Good(const std::string& text) {
  EtcdUrl url;
  const char* problem = ParseEtcdUrl(text.c_str(), &url);
  EXPECT_EQ(problem, nullptr) << text << ": " << problem;
  return url;
}

std::string Problem(const std::string& text) {
  EtcdUrl url;
  const char* problem = ParseEtcdUrl(text.c_str(), &url);
  return problem == nullptr ? "" : problem;
}

std::string Hosts(const EtcdUrl& url) {
  std::string hosts;
  for (int i = 0; i < url.endpoint_count; ++i)
    hosts += std::string(url.endpoints[i].host) + " " + std::to_string(url.endpoints[i].port) + ";";
  return hosts;
}

TEST(EtcdUrl, NeedsNoMoreThanAHost) {
  const EtcdUrl url = Good("etcd://store.example");
  EXPECT_FALSE(url.tls);
  EXPECT_EQ(Hosts(url), "store.example 2379;");
  EXPECT_STREQ(url.user, "");
  EXPECT_STREQ(url.prefix, "");
}

TEST(EtcdUrl, ReadsEveryPart) {
  const std::string text = "etcds://app:p%40ss@10.0.0.1:1,b,[::1]:3/idgen/prod%2F1/";
  const EtcdUrl url = Good(text);
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(Hosts(url), "10.0.0.1 1;b 2379;::1 3;");
  EXPECT_STREQ(url.user, "app");
  EXPECT_STREQ(url.password, "p@ss");
  EXPECT_EQ(text.substr(url.password_at, url.password_size), "p%40ss");
  EXPECT_STREQ(url.prefix, "/idgen/prod/1");
}

TEST(EtcdUrl, ThePrefixHasNoSlashAtItsEnd) {
  for (const char* text : {"etcd://a", "etcd://a/", "etcd://a//"}) EXPECT_STREQ(Good(text).prefix, "") << text;
  EXPECT_STREQ(Good("etcd://a/b///").prefix, "/b");
}

TEST(EtcdUrl, RefusesWhatIsNoUrlOfAnEtcd) {
  EXPECT_EQ(Problem("redis://a"), "it must begin with etcd:// or etcds://");
  EXPECT_EQ(Problem("etcd://"), "a host name is missing");
  EXPECT_EQ(Problem("etcd://a,"), "a host name is missing");
  EXPECT_EQ(Problem("etcd://a:0"), "a port is not a number from 1 to 65535");
  EXPECT_EQ(Problem("etcd://a::1"), "an IPv6 address must be in brackets");
  EXPECT_EQ(Problem("etcd://:secret@a"), "a password needs a user");
  EXPECT_EQ(Problem("etcd://a/b?c"), "after the hosts only a prefix may follow");
  EXPECT_EQ(Problem("etcd://a/%00"), "the prefix is too long or wrongly encoded");
  EXPECT_EQ(Problem("etcd://a/" + std::string(255, 'x')), "the prefix is too long or wrongly encoded");
  EXPECT_EQ(Problem("etcd://1,2,3,4,5,6,7,8,9"), "it names more than 8 hosts");
}

// The host becomes a part of the URL that libcurl reads.
TEST(EtcdUrl, AHostCannotSmuggleAnythingIntoAnHttpUrl) {
  for (const std::string host : {"a?b", "a#b", "a%41", "a\\b", "a;b", "a[b", "[a", "[::1?]", "a\"b", "{a}", "a|b"})
    EXPECT_NE(Problem("etcd://" + host), "") << host;
  EXPECT_EQ(Problem("etcd://[fe80::1%25eth0]"), "");
}

TEST(EtcdUrl, IdentityIgnoresCredentialsAndTheOrderOfEndpoints) {
  const io::UrlKind& kind = io::kEtcdUrls;
  EXPECT_EQ(kind.identify("etcd://a:1,b:2/p"), kind.identify("etcd://u:secret@b:2,a:1/p/"));
  EXPECT_NE(kind.identify("etcd://a:1,b:2/p"), kind.identify("etcd://a:1,b:2/q"));
  EXPECT_NE(kind.identify("etcd://a:1,b:2"), kind.identify("etcd://a:1,b:3"));
  // The number is part of the local file's records: a server must recognize its lease after an upgrade.
  EXPECT_EQ(kind.identify("etcd://127.0.0.1:2379"), 11972316462128401054u);
}

TEST(EtcdUrl, ACommonEndpointMayBeTheSameCluster) {
  const io::UrlKind& kind = io::kEtcdUrls;
  EXPECT_TRUE(kind.may_be_same("etcd://a,b/x", "etcd://b:2379,c/y"));
  EXPECT_FALSE(kind.may_be_same("etcd://a,b", "etcd://b:1,c"));
}

#ifdef IDGEN_ETCD
TEST(EtcdUrl, IsValidatedAsAKindOfStore) {
  const io::UrlKind& kind = io::kEtcdUrls;
  io::PasswordPosition password;
  EXPECT_EQ(kind.validate("etcd://user:secret@a:1/2", &password), nullptr);
  EXPECT_EQ(password.at, strlen("etcd://user:"));
  EXPECT_EQ(password.size, strlen("secret"));
  EXPECT_STREQ(kind.validate("etcd://[a", &password), "the bracket after an IPv6 address is missing");
}
#else
TEST(EtcdUrl, IsRefusedInABuildWithoutEtcd) {
  io::PasswordPosition password;
  EXPECT_STREQ(io::kEtcdUrls.validate("etcd://a", &password), "idgen was built without etcd");
}
#endif

}  // namespace
}  // namespace idgen::wire
