// Reading the URL of a Redis.
#include "wire/redis_url.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace idgen::wire {
namespace {

using Kind = RedisUrl::Kind;

RedisUrl Good(const std::string& text) {
  RedisUrl url;
  const char* problem = ParseRedisUrl(text.c_str(), &url);
  EXPECT_EQ(problem, nullptr) << text << ": " << problem;
  return url;
}

bool IsGood(const std::string& text) {
  RedisUrl url;
  return ParseRedisUrl(text.c_str(), &url) == nullptr;
}

std::string Shown(const Endpoint& endpoint) { return std::string(endpoint.host) + " " + std::to_string(endpoint.port); }

std::vector<std::string> Hosts(const RedisUrl& url) {
  std::vector<std::string> hosts;
  for (int i = 0; i < url.endpoint_count; ++i) hosts.push_back(Shown(url.endpoints[i]));
  return hosts;
}

using Names = std::vector<std::string>;

TEST(RedisUrl, NeedsNoMoreThanAHost) {
  const RedisUrl url = Good("redis://cache.example");
  EXPECT_EQ(url.kind, Kind::kTcp);
  EXPECT_FALSE(url.tls);
  EXPECT_EQ(Hosts(url), Names{"cache.example 6379"});
  EXPECT_STREQ(url.user, "");
  EXPECT_STREQ(url.password, "");
  EXPECT_EQ(url.password_size, 0u);
  EXPECT_EQ(url.db, 0);
}

TEST(RedisUrl, ReadsEveryPart) {
  const RedisUrl url = Good("rediss://app:secret@10.1.2.3:7000/12");
  EXPECT_EQ(url.kind, Kind::kTcp);
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(Hosts(url), Names{"10.1.2.3 7000"});
  EXPECT_STREQ(url.user, "app");
  EXPECT_STREQ(url.password, "secret");
  EXPECT_EQ(url.db, 12);
}

TEST(RedisUrl, ReadsSeveralHosts) {
  EXPECT_EQ(Hosts(Good("redis://a,b:1,[::1]:2,[::2]/3")), (Names{"a 6379", "b 1", "::1 2", "::2 6379"}));
  EXPECT_TRUE(IsGood("redis://1,2,3,4,5,6,7,8"));
  EXPECT_FALSE(IsGood("redis://1,2,3,4,5,6,7,8,9"));
}

TEST(RedisUrl, ReadsSentinels) {
  const RedisUrl url = Good("redis+sentinel://u:p@a,b:5000/my%2Fmaster/2");
  EXPECT_EQ(url.kind, Kind::kSentinel);
  EXPECT_EQ(Hosts(url), (Names{"a 26379", "b 5000"}));
  EXPECT_STREQ(url.master, "my/master");
  EXPECT_STREQ(url.user, "u");
  EXPECT_STREQ(url.password, "p");
  EXPECT_EQ(url.db, 2);
  EXPECT_TRUE(Good("rediss+sentinel://a/m").tls);
  EXPECT_EQ(Good("redis+sentinel://a/m/").db, 0);
}

TEST(RedisUrl, RefusesASentinelWithoutAMaster) {
  for (const char* text : {"redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel://a//1"})
    EXPECT_FALSE(IsGood(text)) << text;
}

TEST(RedisUrl, ReadsASocketsPath) {
  const RedisUrl url = Good("unix:///run/my%20redis.sock?db=3");
  EXPECT_EQ(url.kind, Kind::kUnix);
  EXPECT_STREQ(url.path, "/run/my redis.sock");
  EXPECT_EQ(url.db, 3);
  EXPECT_EQ(url.endpoint_count, 0);
  const RedisUrl with_user = Good("unix://app:secret@/run/redis.sock");
  EXPECT_STREQ(with_user.user, "app");
  EXPECT_STREQ(with_user.password, "secret");
  EXPECT_STREQ(with_user.path, "/run/redis.sock");
}

TEST(RedisUrl, ASocketsPathMayHoldAnAtSign) {
  const RedisUrl url = Good("unix:///run/redis@6379/redis.sock");
  EXPECT_STREQ(url.path, "/run/redis@6379/redis.sock");
  EXPECT_STREQ(url.user, "");
}

TEST(RedisUrl, RefusesAnInvalidSocketPath) {
  for (const char* text : {"unix://", "unix://run/redis.sock", "unix://?db=1", "unix:///s?db=", "unix:///s?db=x",
                           "unix:///s?database=1", "unix:///s?"})
    EXPECT_FALSE(IsGood(text)) << text;
  EXPECT_TRUE(IsGood("unix:///" + std::string(102, 's')));
  EXPECT_FALSE(IsGood("unix:///" + std::string(103, 's')));
}

TEST(RedisUrl, APasswordNeedsNoUser) {
  const RedisUrl url = Good("redis://:secret@a");
  EXPECT_STREQ(url.user, "");
  EXPECT_STREQ(url.password, "secret");
}

TEST(RedisUrl, AUserNeedsNoPassword) {
  const RedisUrl url = Good("redis://app@a");
  EXPECT_STREQ(url.user, "app");
  EXPECT_STREQ(url.password, "");
  EXPECT_EQ(url.password_size, 0u);
}

TEST(RedisUrl, APasswordMayHoldColonsAndAtSigns) {
  EXPECT_STREQ(Good("redis://u:a:b@c@d:e@host:1").password, "a:b@c@d:e");
  EXPECT_EQ(Hosts(Good("redis://u:a:b@c@d:e@host:1")), Names{"host 1"});
}

TEST(RedisUrl, DecodesPercentSigns) {
  const RedisUrl url = Good("redis://a%3Ab:%2f%40%3a%25%C3%a4@host");
  EXPECT_STREQ(url.user, "a:b");
  EXPECT_STREQ(url.password, "/@:%\xc3\xa4");
}

TEST(RedisUrl, RefusesAPercentSignThatMeansNothing) {
  for (const char* text : {"redis://u:%@h", "redis://u:%4@h", "redis://u:%g0@h", "redis://u:%0g@h", "redis://%zz:p@h",
                           "redis://u:%00@h", "redis+sentinel://h/%", "unix:///%"})
    EXPECT_FALSE(IsGood(text)) << text;
}

TEST(RedisUrl, LocatesThePassword) {
  for (const std::string password : {"secret", "a%40b", "a:b@c", ""}) {
    const std::string before = "redis+sentinel://app:";
    const RedisUrl url = Good(before + password + "@h/m/1");
    EXPECT_EQ(url.password_at, before.size());
    EXPECT_EQ(url.password_size, password.size());
  }
}

TEST(RedisUrl, RefusesAnInvalidPort) {
  for (const char* port : {":", ":0", ":65536", ":x", ":-1", ":1x", ": 1", ":99999999999999999999"})
    EXPECT_FALSE(IsGood("redis://h" + std::string(port))) << port;
  EXPECT_EQ(Hosts(Good("redis://h:65535")), Names{"h 65535"});
}

TEST(RedisUrl, RefusesAnInvalidHost) {
  for (const char* hosts :
       {"", ":1", "a,", ",a", "a,,b", "[]", "[::1", "[::1]1", "[::1]x:1", "a b", "a\tb", "a\x7f", "u:p@"})
    EXPECT_FALSE(IsGood("redis://" + std::string(hosts))) << hosts;
  EXPECT_TRUE(IsGood("redis://" + std::string(255, 'h')));
  EXPECT_FALSE(IsGood("redis://" + std::string(256, 'h')));
}

TEST(RedisUrl, ReportsWhatIsWrongWithAHost) {
  const auto problem = [](const std::string& hosts) {
    RedisUrl url;
    return std::string(ParseRedisUrl(("redis://" + hosts).c_str(), &url));
  };
  EXPECT_EQ(problem(""), "a host name is missing");
  EXPECT_EQ(problem("a,,b"), "a host name is missing");
  EXPECT_EQ(problem(std::string(256, 'h')), "a host name is longer than 255 bytes");
  EXPECT_EQ(problem("a b"), "a host name has a character that no host name has");
  EXPECT_EQ(problem("a:65536"), "a port is not a number from 1 to 65535");
  EXPECT_EQ(problem("a:"), "a port is not a number from 1 to 65535");
  EXPECT_EQ(problem("[::1"), "the bracket after an IPv6 address is missing");
  EXPECT_EQ(problem("[::1]1"), "after the bracket of an IPv6 address only a port may follow");
}

// What follows its last colon would be taken for a port.
TEST(RedisUrl, RefusesAnIpv6AddressWithoutBrackets) {
  for (const char* host : {"2001:db8::1", "::1", "fe80::1:7000"})
    EXPECT_FALSE(IsGood("redis://" + std::string(host))) << host;
}

TEST(RedisUrl, RefusesAnInvalidDatabase) {
  for (const char* db : {"x", "1/", "-1", "65536", "1?x", " 1"})
    EXPECT_FALSE(IsGood("redis://h/" + std::string(db))) << db;
  EXPECT_EQ(Good("redis://h/65535").db, 65535);
  EXPECT_EQ(Good("redis://h/").db, 0);
}

TEST(RedisUrl, RefusesAnotherScheme) {
  for (const char* text : {"", "h", "redis:", "redis:/h", "http://h", "redis+tls://h", "/run/redis.sock", " redis://h"})
    EXPECT_FALSE(IsGood(text)) << text;
}

TEST(RedisUrl, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(IsGood("redis://" + std::string(127, 'u') + "@h"));
  EXPECT_FALSE(IsGood("redis://" + std::string(128, 'u') + "@h"));
  EXPECT_TRUE(IsGood("redis://:" + std::string(511, 'p') + "@h"));
  EXPECT_FALSE(IsGood("redis://:" + std::string(512, 'p') + "@h"));
  EXPECT_TRUE(IsGood("redis+sentinel://h/" + std::string(127, 'm')));
  EXPECT_FALSE(IsGood("redis+sentinel://h/" + std::string(128, 'm')));
}

TEST(RedisUrl, KeepsNothingOfThePreviousUrl) {
  RedisUrl url = Good("rediss+sentinel://u:p@a,b/m/7");
  ASSERT_EQ(ParseRedisUrl("redis://h", &url), nullptr);
  EXPECT_EQ(Hosts(url), Names{"h 6379"});
  EXPECT_FALSE(url.tls);
  EXPECT_EQ(url.db, 0);
  EXPECT_STREQ(url.user, "");
  EXPECT_STREQ(url.password, "");
  EXPECT_STREQ(url.master, "");
}

std::string ReadEndpoint(const char* text) {
  Endpoint endpoint;
  return ParseEndpoint(text, text + strlen(text), 0, &endpoint) == nullptr ? Shown(endpoint) : "";
}

// As MOVED writes it.
TEST(RedisUrl, AnEndpointMayBeAnIpv6AddressWithoutBrackets) {
  EXPECT_EQ(ReadEndpoint("2001:db8::1:7000"), "2001:db8::1 7000");
  EXPECT_EQ(ReadEndpoint("[2001:db8::1]:7000"), "2001:db8::1 7000");
  EXPECT_EQ(ReadEndpoint("10.0.0.1:7000"), "10.0.0.1 7000");
  EXPECT_EQ(ReadEndpoint(":7000"), "");
  EXPECT_EQ(ReadEndpoint(""), "");
}

TEST(RedisUrl, MayNameTheSameRedisAsAnother) {
  const auto meet = [](const char* a, const char* b) {
    RedisUrl first, second;
    EXPECT_EQ(ParseRedisUrl(a, &first), nullptr) << a;
    EXPECT_EQ(ParseRedisUrl(b, &second), nullptr) << b;
    return MayBeOneRedis(first, second) && MayBeOneRedis(second, first);
  };
  EXPECT_TRUE(meet("redis://a", "redis://user:password@a:6379/3"));
  EXPECT_TRUE(meet("redis://a,b", "redis://c,b"));
  EXPECT_TRUE(meet("unix:///run/redis.sock", "unix:///run/redis.sock?db=1"));
  EXPECT_TRUE(meet("redis+sentinel://s,t/main", "redis+sentinel://t/main"));
  EXPECT_FALSE(meet("redis://a", "redis://a:6380"));
  EXPECT_FALSE(meet("redis://a", "redis://b"));
  EXPECT_FALSE(meet("unix:///run/redis.sock", "unix:///run/other.sock"));
  EXPECT_FALSE(meet("redis+sentinel://s/main", "redis+sentinel://s/other"));
  EXPECT_FALSE(meet("redis://a", "unix:///run/redis.sock"));
}

}  // namespace
}  // namespace idgen::wire
