// The examination that every ObjectStore must pass: drivers, doubles and decorators alike. Include
// it in one test file and instantiate ObjectStoreConformance with makers of subjects.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/object_store.h"

namespace lifeboat::storage {

// An empty store under examination. Owns whatever it needs.
class ObjectStoreSubject {
 public:
  virtual ~ObjectStoreSubject() = default;
  virtual ObjectStore& store() = 0;
};

struct ObjectStoreMaker {
  std::string name;
  std::function<std::unique_ptr<ObjectStoreSubject>()> make;
};

class ObjectStoreConformance : public testing::TestWithParam<ObjectStoreMaker> {
 protected:
  PutOutcome put_text(const std::string& name, std::string_view content) {
    const auto outcome = put(store, name, as_bytes(content));
    EXPECT_TRUE(outcome) << outcome.error().to_string();
    return outcome.value_or(PutOutcome::kExisted);
  }
  std::string text_of(const std::string& name) {
    const auto bytes = get(store, name, 64 << 20);
    return bytes ? to_string(*bytes) : code_text(bytes.error().code());
  }
  std::vector<std::string> names(const std::string& prefix) {
    const auto objects = store.list(prefix);
    EXPECT_TRUE(objects) << objects.error().to_string();
    std::vector<std::string> all;
    if (!objects) return all;
    for (const ObjectInfo& object : *objects) all.push_back(object.name);
    return all;
  }

 private:
  std::unique_ptr<ObjectStoreSubject> subject_ = GetParam().make();

 protected:
  ObjectStore& store = subject_->store();
};

inline const std::string kMissingText = code_text(ErrorCode::kObjectMissing);

TEST_P(ObjectStoreConformance, GivesBackWhatWasPut) {
  EXPECT_EQ(put_text("s/abc/0-1", "content"), PutOutcome::kCreated);
  EXPECT_EQ(text_of("s/abc/0-1"), "content");
  const ObjectInfo info = store.head("s/abc/0-1").value();
  EXPECT_EQ(info.name, "s/abc/0-1");
  EXPECT_EQ(info.size_bytes, 7U);
  EXPECT_GT(info.modified.ns, 0);
}

TEST_P(ObjectStoreConformance, KeepsAnEmptyObject) {
  EXPECT_EQ(put_text("empty", ""), PutOutcome::kCreated);
  EXPECT_EQ(text_of("empty"), "");
  EXPECT_EQ(store.head("empty").value().size_bytes, 0U);
}

TEST_P(ObjectStoreConformance, KeepsObjectsOfSeveralMebibytesAppendedInUnevenPieces) {
  std::string expected;
  auto staged = store.stage().value();
  for (std::size_t size : {1U, 700'000U, 399'999U, 1'048'576U, 0U, 3'000'001U, 5U}) {
    const std::string piece(size, static_cast<char>('a' + expected.size() % 23));
    ASSERT_TRUE(staged->append(as_bytes(piece)));
    expected += piece;
  }
  ASSERT_TRUE(store.publish(std::move(staged), "large"));
  EXPECT_EQ(text_of("large"), expected);
}

TEST_P(ObjectStoreConformance, ReadsBackWhatIsStagedAlsoAcrossItsBuffers) {
  auto staged = store.stage().value();
  const std::string first(1'500'000, 'a');
  const std::string second(700'000, 'b');
  ASSERT_TRUE(staged->append(as_bytes(first)));
  ASSERT_TRUE(staged->append(as_bytes(second)));
  Bytes out(10);
  ASSERT_EQ(staged->read_at(1'499'995, out).value(), 10U);
  EXPECT_EQ(as_text(out), "aaaaabbbbb");
  EXPECT_EQ(staged->read_at(2'199'997, out).value(), 3U);
  EXPECT_EQ(staged->read_at(9'000'000, out).value(), 0U);
  Bytes whole(2'200'000);
  ASSERT_EQ(staged->read_at(0, whole).value(), whole.size());
  EXPECT_EQ(as_text(whole), first + second);
}

TEST_P(ObjectStoreConformance, ReadsRanges) {
  put_text("a", "0123456789");
  Bytes out(4);
  EXPECT_EQ(store.read_at("a", 3, out).value(), 4U);
  EXPECT_EQ(as_text(out), "3456");
  EXPECT_EQ(store.read_at("a", 8, out).value(), 2U);
  EXPECT_EQ(store.read_at("a", 10, out).value(), 0U);
  EXPECT_EQ(store.read_at("a", 1'000'000, out).value(), 0U);
}

TEST_P(ObjectStoreConformance, TakesTheSameBytesTwice) {
  EXPECT_EQ(put_text("a/b", "same"), PutOutcome::kCreated);
  EXPECT_EQ(put_text("a/b", "same"), PutOutcome::kExisted);
  EXPECT_EQ(text_of("a/b"), "same");
}

TEST_P(ObjectStoreConformance, RefusesOtherBytesUnderAName) {
  put_text("a", "first");
  for (const std::string_view other : {"FIRST", "firs", "first and more", ""}) {
    const auto outcome = put(store, "a", as_bytes(other));
    ASSERT_FALSE(outcome) << other;
    EXPECT_EQ(outcome.error().code(), ErrorCode::kObjectDamaged);
  }
  EXPECT_EQ(text_of("a"), "first");
}

TEST_P(ObjectStoreConformance, ShowsNothingOfWhatIsStagedOnly) {
  {
    auto staged = store.stage().value();
    ASSERT_TRUE(staged->append(as_bytes("unfinished")));
    EXPECT_EQ(names(""), std::vector<std::string>{});
  }
  EXPECT_EQ(names(""), std::vector<std::string>{});
}

TEST_P(ObjectStoreConformance, SaysWhatIsMissing) {
  Bytes out(1);
  EXPECT_EQ(store.read_at("a", 0, out).error().code(), ErrorCode::kObjectMissing);
  EXPECT_EQ(store.head("a").error().code(), ErrorCode::kObjectMissing);
  EXPECT_EQ(text_of("a/b/c"), kMissingText);
  put_text("a/b", "x");
  EXPECT_EQ(store.head("a").error().code(), ErrorCode::kObjectMissing);
  EXPECT_EQ(store.head("a/b/c").error().code(), ErrorCode::kObjectMissing);
  EXPECT_EQ(store.read_at("a/b/c", 0, out).error().code(), ErrorCode::kObjectMissing);
}

TEST_P(ObjectStoreConformance, ListsByNameBelowAPrefix) {
  for (const char* name : {"b", "a/x", "a-b", "a/b/c", "ab/x", "a/a"}) put_text(name, name);
  EXPECT_EQ(names(""), (std::vector<std::string>{"a-b", "a/a", "a/b/c", "a/x", "ab/x", "b"}));
  EXPECT_EQ(names("a/"), (std::vector<std::string>{"a/a", "a/b/c", "a/x"}));
  EXPECT_EQ(names("a/b/"), std::vector<std::string>{"a/b/c"});
  EXPECT_EQ(names("none/"), std::vector<std::string>{});
  EXPECT_EQ(names("b/"), std::vector<std::string>{});
  EXPECT_EQ(store.list("a/").value()[1].size_bytes, 5U);
  EXPECT_FALSE(store.list("a"));
}

TEST_P(ObjectStoreConformance, RemovesAndIsContentWhenNothingIsThere) {
  put_text("a/b", "x");
  put_text("a/c", "y");
  ASSERT_TRUE(store.remove("a/b"));
  ASSERT_TRUE(store.remove("a/b"));
  EXPECT_EQ(text_of("a/b"), kMissingText);
  EXPECT_EQ(names(""), std::vector<std::string>{"a/c"});
  EXPECT_EQ(put_text("a/b", "new"), PutOutcome::kCreated);
}

TEST_P(ObjectStoreConformance, RefusesNamesThatNoObjectCanHave) {
  const std::string long_segment(256, 'a');
  Bytes out(1);
  for (const std::string& name :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string(".."),
        std::string("a/../b"), std::string("./a"), std::string("A"), std::string("a b"), std::string("a\0b", 3),
        std::string(".lifeboat-tmp-1"), std::string("a/\xc3\xa9"), long_segment}) {
    EXPECT_FALSE(put(store, name, as_bytes("x"))) << name;
    EXPECT_EQ(store.read_at(name, 0, out).error().code(), ErrorCode::kObjectDamaged) << name;
    EXPECT_FALSE(store.head(name)) << name;
    EXPECT_FALSE(store.remove(name)) << name;
  }
  EXPECT_FALSE(store.list("../"));
  EXPECT_EQ(names(""), std::vector<std::string>{});
}

TEST_P(ObjectStoreConformance, RefusesToGetMoreThanTheLimit) {
  put_text("a", "0123456789");
  EXPECT_EQ(get(store, "a", 10).value().size(), 10U);
  EXPECT_EQ(get(store, "a", 9).error().code(), ErrorCode::kObjectDamaged);
}

TEST_P(ObjectStoreConformance, HasRoomAndAnAddress) {
  EXPECT_GT(store.free_bytes().value(), 0U);
  EXPECT_NE(store.url().find(':'), std::string::npos);
}

}  // namespace lifeboat::storage
