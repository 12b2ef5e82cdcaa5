// SHA-1 against the vectors of FIPS 180.
#include "crypto/sha1.h"

#include <gtest/gtest.h>

namespace lifeboat::crypto {
namespace {

TEST(Sha1, GivesThePublishedVectors) {
  EXPECT_EQ(sha1(as_bytes("")).text(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(sha1(as_bytes("abc")).text(), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

}  // namespace
}  // namespace lifeboat::crypto
