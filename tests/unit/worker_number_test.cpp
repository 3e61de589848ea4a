// Worker ids read from texts and addresses.
#include "lease/worker_number.h"

#include <gtest/gtest.h>

namespace idgen::lease {
namespace {

constexpr uint32_t Address(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

AddressNumber Numbers(std::initializer_list<uint32_t> addresses, unsigned width = 10) {
  return NumberOfAddresses(addresses.begin(), addresses.size(), width);
}

TEST(WorkerNumber, TakesADecimalNumberAndNothingElse) {
  EXPECT_EQ(NumberOfText("0"), 0u);
  EXPECT_EQ(NumberOfText("1023"), 1023u);
  EXPECT_EQ(NumberOfText("007"), 7u);
  for (const char* text : {"", " 1", "1 ", "-1", "+1", "0x10", "1a", "1.0", "1\n"})
    EXPECT_FALSE(NumberOfText(text)) << '"' << text << '"';
}

TEST(WorkerNumber, RefusesWhatNoIdentityCanHoldInsteadOfMaskingIt) {
  EXPECT_EQ(NumberOfText("1048575"), 1048575u);
  EXPECT_FALSE(NumberOfText("1048576"));
  EXPECT_FALSE(NumberOfText("4294967296"));  // 2^32: 0 if it wraps
  EXPECT_FALSE(NumberOfText("99999999999999999999999"));
}

TEST(WorkerNumber, TakesTheOrdinalOfAPod) {
  EXPECT_EQ(NumberOfHostname("db-0"), 0u);
  EXPECT_EQ(NumberOfHostname("orders-db-12"), 12u);
  EXPECT_EQ(NumberOfHostname("db-3.orders.svc.cluster.local"), 3u);
}

TEST(WorkerNumber, RefusesAHostNameWithoutAnOrdinalOfItsOwn) {
  for (const char* name : {"", "db", "db3", "3", "db-", "db-3a", "web-7d9f8b6c5-x2x7", "db.example-3"})
    EXPECT_FALSE(NumberOfHostname(name)) << '"' << name << '"';
}

TEST(WorkerNumber, KnowsThePrivateNetworksToTheirEnds) {
  for (const uint32_t address : {Address(10, 0, 0, 0), Address(10, 255, 255, 255), Address(172, 16, 0, 0),
                                 Address(172, 31, 255, 255), Address(192, 168, 0, 1), Address(169, 254, 1, 1)})
    EXPECT_TRUE(IsPrivate(address)) << std::hex << address;
  for (const uint32_t address :
       {Address(9, 255, 255, 255), Address(11, 0, 0, 0), Address(172, 15, 255, 255), Address(172, 32, 0, 0),
        Address(192, 167, 1, 1), Address(192, 169, 1, 1), Address(8, 8, 8, 8), Address(100, 64, 0, 1)})
    EXPECT_FALSE(IsPrivate(address)) << std::hex << address;
}

TEST(WorkerNumber, TakesTheLowBitsOfThePrivateAddress) {
  // Sonyflake's machine id is the low 16 bits: 258 for 10.0.1.2.
  EXPECT_EQ(Numbers({Address(10, 0, 1, 2)}, 16).number, 258u);
  EXPECT_EQ(Numbers({Address(8, 8, 8, 8), Address(192, 168, 7, 3)}).number, (7u << 8 | 3) & 1023);
}

TEST(WorkerNumber, RefusesAddressesThatDisagree) {
  const AddressNumber found = Numbers({Address(10, 0, 0, 5), Address(172, 17, 0, 1)});
  EXPECT_FALSE(found.number);
  EXPECT_EQ(found.private_count, 2u);
  EXPECT_EQ(Numbers({Address(10, 0, 0, 5), Address(10, 4, 0, 5)}).number, 5u);
}

TEST(WorkerNumber, HasNoneIfNoAddressIsPrivate) {
  EXPECT_FALSE(Numbers({}).number);
  EXPECT_FALSE(Numbers({Address(8, 8, 8, 8)}).number);
}

}  // namespace
}  // namespace idgen::lease
