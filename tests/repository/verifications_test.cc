#include "repository/catalogue/verifications.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lifeboat::repository {
namespace {

using manifest::Attestation;

constexpr int kLevels = 3;

Attestation verified(std::int64_t at, int level, bool clean) {
  Attestation a;
  a.kind = "verify";
  a.made = {at};
  a.level = level;
  a.agreed = clean;
  return a;
}

Verifications of(const std::vector<Attestation>& all) {
  Verifications out;
  for (const Attestation& a : all) out.add(a);
  return out;
}

TEST(Verifications, AShallowerOneDoesNotHideWhatADeeperOneFound) {
  const auto damaged = of({verified(1, 1, false), verified(2, 0, true)});
  ASSERT_NE(damaged.failed(), nullptr);
  EXPECT_EQ(damaged.failed()->level, 1);
  ASSERT_NE(damaged.telling(), nullptr);
  EXPECT_FALSE(damaged.telling()->agreed);
  EXPECT_EQ(of({verified(1, 1, false), verified(2, 0, true), verified(3, 1, true)}).failed(), nullptr);
}

TEST(Verifications, AShallowerOneDoesNotHideHowDeepItWasClean) {
  const auto clean = of({verified(1, 4, true), verified(2, 1, true)});
  EXPECT_EQ(clean.clean()->level, 4);
  EXPECT_TRUE(clean.is_clean_since({1}, 3));
  EXPECT_FALSE(clean.is_clean_since({2}, 2)) << "the deep one was before";
  EXPECT_TRUE(clean.is_clean_since({2}, 1));
}

TEST(Verifications, NoneSaysNothing) {
  EXPECT_EQ(Verifications().telling(), nullptr);
  EXPECT_FALSE(Verifications().is_clean_since({0}, 0));
}

// The rules over a whole history, as they are stated.
const Attestation* failed_of(const std::vector<Attestation>& history) {
  const Attestation* deepest = nullptr;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (history[i].agreed) continue;
    const bool taken_back =
        std::any_of(history.begin() + static_cast<std::ptrdiff_t>(i), history.end(),
                    [&](const auto& later) { return later.agreed && later.level >= history[i].level; });
    if (!taken_back && (deepest == nullptr || history[i].level >= deepest->level)) deepest = &history[i];
  }
  return deepest;
}

const Attestation* clean_of(const std::vector<Attestation>& history) {
  const Attestation* deepest = nullptr;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const bool failed_later = std::any_of(history.begin() + static_cast<std::ptrdiff_t>(i), history.end(),
                                          [](const auto& later) { return !later.agreed; });
    if (!failed_later && (deepest == nullptr || history[i].level >= deepest->level)) deepest = &history[i];
  }
  return deepest;
}

void expect_same(const Attestation* got, const Attestation* expected) {
  ASSERT_EQ(got == nullptr, expected == nullptr);
  if (got != nullptr) {
    EXPECT_EQ(*got, *expected);
  }
}

TEST(Verifications, EveryOrderOfLevelsAndOutcomesFollowsTheRules) {
  constexpr int kKinds = 2 * kLevels, kLength = 5;
  int sequences = 1;
  for (int i = 0; i < kLength; ++i) sequences *= kKinds;
  for (int code = 0; code < sequences; ++code) {
    std::vector<Attestation> history;
    for (int i = 0, rest = code; i < kLength; ++i, rest /= kKinds)
      history.push_back(verified(i, rest % kKinds / 2, rest % 2 == 0));
    const Verifications got = of(history);
    SCOPED_TRACE(code);
    expect_same(got.failed(), failed_of(history));
    expect_same(got.clean(), clean_of(history));
    for (int level = 0; level < kLevels; ++level) {
      const auto expected = [&](std::int64_t time) {
        const auto* clean = clean_of(history);
        return clean != nullptr && std::ranges::any_of(history, [&](const Attestation& a) {
                 return a.agreed && a.level >= level && a.made.ns >= time &&
                        std::ranges::none_of(history, [&](const auto& b) { return !b.agreed && b.made > a.made; });
               });
      };
      for (int time = 0; time < kLength; ++time) EXPECT_EQ(got.is_clean_since({time}, level), expected(time));
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace lifeboat::repository
