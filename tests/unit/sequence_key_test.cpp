// Names in the store: of one slot, and no two alike.
#include "sequencer/key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace idgen::sequencer {
namespace {

std::string Prefix(const std::string& database, const std::string& sequencer) {
  char prefix[kPrefixBuffer];
  WriteDefaultPrefix(database, sequencer, prefix);
  return prefix;
}

std::string Key(const std::string& prefix, const std::string& key) {
  char room[kMaxStoreKeyBytes];
  return std::string(WriteStoreKey(prefix, key, room).value());
}

// What a Redis Cluster hashes of a key.
std::string Tag(const std::string& key) {
  const size_t open = key.find('{');
  const size_t close = open == std::string::npos ? open : key.find('}', open + 1);
  return close == std::string::npos || close == open + 1 ? key : key.substr(open + 1, close - open - 1);
}

TEST(SequenceKey, IsWrittenAsDocumented) {
  EXPECT_EQ(Prefix("shop", "default"), "idgen:seq:4:shop:7:default:");
  EXPECT_EQ(Key("idgen:seq:4:shop:7:default:", "order 1"), "idgen:seq:4:shop:7:default:{7:order 1}");
  char room[kMaxStoreKeyBytes];
  EXPECT_EQ(WriteStoreKey("p:", "k", room).generation(), "p:{1:k}:g");
}

TEST(SequenceKey, HasItsGenerationInTheSameSlot) {
  for (const char* name : {"a", "{", "}", "{}", "}{", "a{}b", "{a}", "%", "%7B%7D"}) {
    for (const char* key : {"k", "{", "}", "{}", "}{", "a{}b", "{a}", ":", "}:g"}) {
      char room[kMaxStoreKeyBytes];
      const StoreKey written = WriteStoreKey(Prefix(name, name), key, room);
      EXPECT_EQ(Tag(std::string(written.value())), Tag(std::string(written.generation()))) << written.generation();
      EXPECT_NE(Tag(std::string(written.value())), written.value());
    }
  }
}

TEST(SequenceKey, DiffersFromEveryOther) {
  const std::string parts[] = {"a",   "a:",  ":a", "1:a", "a:1:a", "%7Ba",  "{a:5",  "3:abc",
                               "abc", "%25", "%",  "a}",  "a}:g",  "2:a:1", "1:a:{", "{1:a}"};
  std::set<std::string> seen;
  for (const std::string& database : parts)
    for (const std::string& sequencer : parts)
      for (const std::string& key : parts) {
        char room[kMaxStoreKeyBytes];
        const StoreKey written = WriteStoreKey(Prefix(database, sequencer), key, room);
        EXPECT_TRUE(seen.insert(std::string(written.value())).second) << written.value();
        EXPECT_TRUE(seen.insert(std::string(written.generation())).second) << written.generation();
      }
}

TEST(SequenceKey, FitsItsBuffer) {
  const std::string name(63, '{');
  const std::string prefix = Prefix(name, name);
  EXPECT_LT(prefix.size(), kPrefixBuffer);
  EXPECT_LE(Key(prefix, std::string(kMaxKeyBytes, 'k')).size() + kGenerationSuffix.size(), kMaxStoreKeyBytes);
  EXPECT_LE(Key(std::string(kMaxPrefixBytes, 'p'), std::string(kMaxKeyBytes, 'k')).size(), kMaxStoreKeyBytes);
}

TEST(SequenceKey, APrefixHasNoBraces) {
  EXPECT_TRUE(MayBePrefix("orders:"));
  EXPECT_TRUE(MayBePrefix(std::string(kMaxPrefixBytes, 'p')));
  EXPECT_FALSE(MayBePrefix(""));
  EXPECT_FALSE(MayBePrefix(std::string(kMaxPrefixBytes + 1, 'p')));
  EXPECT_FALSE(MayBePrefix("{}"));
  EXPECT_FALSE(MayBePrefix("{a"));
  EXPECT_FALSE(MayBePrefix("a}"));
}

TEST(SequenceKey, AListAllowsWhatBeginsWithOneOfItsEntries) {
  EXPECT_TRUE(IsPrefixAllowed("shop:", "shop:"));
  EXPECT_TRUE(IsPrefixAllowed("shop:eu:", " a, shop: ,b"));
  EXPECT_FALSE(IsPrefixAllowed("shop", "shop:"));
  EXPECT_FALSE(IsPrefixAllowed("other:", "shop:,"));
  for (const char* none : {"", ",", " , "}) EXPECT_FALSE(IsPrefixAllowed("shop:", none)) << none;
}

TEST(SequenceKey, AListReachesTheKeysOfDatabasesOnlyIfItSaysSo) {
  const std::string other = Prefix("other", "default");
  for (const char* wide : {"i", "idgen:", "idgen:seq", "idgen:seq,i"})
    EXPECT_FALSE(IsPrefixAllowed(other, wide)) << wide;
  EXPECT_TRUE(IsPrefixAllowed("idgen:mine:", "idgen:"));
  EXPECT_TRUE(IsPrefixAllowed(other, "idgen:seq:5:other:"));
  EXPECT_FALSE(IsPrefixAllowed(other, "idgen:seq:4:mine:"));
  EXPECT_TRUE(IsPrefixAllowed(other, "idgen:seq:"));
}

TEST(SequenceKey, AListHasPrefixesThatCanBeChosen) {
  EXPECT_TRUE(MayBePrefixList(""));
  EXPECT_TRUE(MayBePrefixList("a:, b:,"));
  EXPECT_FALSE(MayBePrefixList("a:,{b}"));
  EXPECT_FALSE(MayBePrefixList(std::string(kMaxPrefixBytes + 1, 'p')));
}

}  // namespace
}  // namespace idgen::sequencer
