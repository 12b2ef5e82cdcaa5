#include "crypto/secret.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace lifeboat::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);

TEST(Secret, StartsAsZerosAndKeepsWhatIsCopiedIn) {
  const Secret zeros(32);
  EXPECT_TRUE(equal(zeros.view(), Bytes(32)));
  const Secret copy(as_bytes("hunter2"));
  EXPECT_EQ(as_text(copy.view()), "hunter2");
}

TEST(Secret, MovesLeaveTheSourceEmpty) {
  Secret a(as_bytes("one"));
  Secret b(std::move(a));
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): that is the contract
  Secret c(as_bytes("two"));
  c = std::move(b);
  EXPECT_EQ(as_text(c.view()), "one");
  const Secret d = c.clone();
  EXPECT_EQ(as_text(d.view()), "one");
  EXPECT_NE(d.view().data(), c.view().data());
}

TEST(Secret, MayBeEmpty) {
  const Secret none;
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.clone().empty());
  EXPECT_TRUE(Secret(ByteView{}).empty());
}

TEST(EqualConstantTime, ComparesLengthAndEveryByte) {
  EXPECT_TRUE(equal_constant_time({}, {}));
  EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
  EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
}

}  // namespace
}  // namespace lifeboat::crypto
