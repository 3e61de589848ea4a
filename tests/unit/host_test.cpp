// The machine's name and addresses.
#include "io/host.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace idgen::io {
namespace {

TEST(Host, GivesTheNameThatTheSystemGives) {
  char expected[kMaxHostname] = {};
  ASSERT_EQ(gethostname(expected, sizeof expected), 0);
  char hostname[kMaxHostname];
  EXPECT_EQ(ReadHostname(hostname), 0);
  EXPECT_STREQ(hostname, expected);
}

TEST(Host, LeavesOutTheLoopback) {
  uint32_t addresses[kMaxAddresses];
  const int count = ReadAddresses("", addresses);
  ASSERT_GE(count, 0);
  ASSERT_LE(static_cast<size_t>(count), kMaxAddresses);
  for (int i = 0; i < count; ++i) EXPECT_NE(addresses[i] >> 24, 127u);
  EXPECT_EQ(ReadAddresses("lo", addresses), 0);
}

TEST(Host, AnInterfaceThatDoesNotExistHasNoAddress) {
  uint32_t addresses[kMaxAddresses];
  EXPECT_EQ(ReadAddresses("no such interface", addresses), 0);
}

}  // namespace
}  // namespace idgen::io
