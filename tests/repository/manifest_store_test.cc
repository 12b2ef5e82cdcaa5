#include "repository/store/manifest_store.h"

#include <gmock/gmock.h>

#include "repository/store/layout.h"
#include "repository/support.h"
#include "storage/forwarding_store.h"

namespace lifeboat::repository {
namespace {

using namespace testing;  // NOLINT: the helpers of this folder
using ::testing::IsEmpty;
using ::testing::SizeIs;

Bytes small_sidecar() {
  etcd::Sidecar sidecar;
  sidecar.set("lease", "12345678", as_bytes("ttl"));
  sidecar.set("meta", "consistent_index", as_bytes("00000001"));
  return sidecar.encode();
}

manifest::Manifest small_manifest() { return manifest_of(lineage_id(1), 0, {segment_ref(lineage_id(1), 0, 100, 10)}); }

TEST(ManifestStore, GivesBackManifestAndSidecar) {
  TestRepo t;
  const auto name = publish_manifest(*t.repo, t.world.world, small_manifest(), small_sidecar());
  ASSERT_TRUE(name) << why_not(name);
  const auto parsed = parse_manifest_name(*name);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->revision, 100);

  manifest::Manifest expected = small_manifest();
  expected.sidecar_digest = crypto::sha256(small_sidecar()).text();
  const auto manifest = read_manifest(*t.repo, *name);
  ASSERT_TRUE(manifest) << why_not(manifest);
  EXPECT_EQ(*manifest, expected);
  const auto sidecar = read_sidecar(*t.repo, *name);
  ASSERT_TRUE(sidecar) << why_not(sidecar);
  EXPECT_EQ(sidecar->encode(), small_sidecar());
}

TEST(ManifestStore, RefusesAManifestOfAnotherSidecar) {
  TestRepo t;
  manifest::Manifest m = small_manifest();
  m.sidecar_digest = std::string(64, '0');
  EXPECT_FALSE(publish_manifest(*t.repo, t.world.world, m, small_sidecar()));
  EXPECT_THAT(*t.store.list("m/"), IsEmpty());
}

TEST(ManifestStore, RefusesAManifestThatCouldNotBeReadAgain) {
  TestRepo t;
  manifest::Manifest m = small_manifest();
  m.segments.push_back(segment_ref(lineage_id(1), 200, 300, 10));  // a hole
  EXPECT_FALSE(publish_manifest(*t.repo, t.world.world, m, small_sidecar()));
  EXPECT_THAT(*t.store.list("m/"), IsEmpty());
}

// Gives each manifest back with a bit changed, or not at all.
class SpoilingStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  bool answers = true;

  Result<std::size_t> read_at(const std::string& name, std::uint64_t offset, MutableByteView out) override {
    const std::size_t count = TRY(ForwardingStore::read_at(name, offset, out));
    if (name.starts_with("m/") && !answers) return fail(ErrorCode::kStorageFailed, "the store is away");
    if (name.starts_with("m/") && count != 0) out[count / 2] ^= std::byte{1};
    return count;
  }

 protected:
  Status before(const storage::StoreCall&) override { return {}; }
};

TEST(ManifestStore, TakesBackAManifestThatDoesNotReadBack) {
  TestRepo t;
  SpoilingStore spoiling(t.store);
  const auto repo = Repository::open(spoiling, key_file(kKeyFileText)).value();
  const auto published = publish_manifest(*repo, t.world.world, small_manifest(), small_sidecar());
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code(), ErrorCode::kObjectDamaged) << why_not(published);
  EXPECT_THAT(*t.store.list("m/"), IsEmpty());
}

TEST(ManifestStore, LeavesAManifestThatCouldNotBeLookedAt) {
  TestRepo t;
  SpoilingStore away(t.store);
  away.answers = false;
  const auto repo = Repository::open(away, key_file(kKeyFileText)).value();
  const auto published = publish_manifest(*repo, t.world.world, small_manifest(), small_sidecar());
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code(), ErrorCode::kStorageFailed) << why_not(published);
  EXPECT_THAT(*t.store.list("m/"), SizeIs(1));
}

TEST(ManifestStore, RefusesAManifestUnderAnotherName) {
  TestRepo t;
  const auto name = publish_manifest(*t.repo, t.world.world, small_manifest(), small_sidecar());
  ASSERT_TRUE(name);
  const Bytes bytes = *storage::get(t.store, *name, 1 << 20);
  const std::string moved = manifest_name(lineage_id(2), 100, parse_manifest_name(*name)->sha);
  t.store.overwrite(moved, bytes);
  const auto manifest = read_manifest(*t.repo, moved);
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code(), ErrorCode::kObjectDamaged);
}

TEST(ManifestStore, GivesBackAttestations) {
  TestRepo t;
  manifest::Attestation a;
  a.lineage = lineage_id(1);
  a.revision = 100;
  a.made = at_minute(3);
  a.kind = "hashkv";
  a.agreed = true;
  a.members = {{"8e9e05c52164694d", "http://127.0.0.1:2379", 10, 7, 7}};
  const auto name = publish_attestation(*t.repo, t.world.world, a);
  ASSERT_TRUE(name) << why_not(name);
  const auto again = read_attestation(*t.repo, *name);
  ASSERT_TRUE(again) << why_not(again);
  EXPECT_EQ(*again, a);
  EXPECT_FALSE(read_manifest(*t.repo, *name));
}

TEST(ManifestStore, AnyFlippedByteHidesOnlyItsPointAndIsListed) {
  TestRepo t;
  manifest::Manifest second = small_manifest();
  second.segments.push_back(segment_ref(lineage_id(1), 100, 150, 50));
  second.revision = 150;
  const auto name = publish_manifest(*t.repo, t.world.world, small_manifest(), small_sidecar());
  const auto other = publish_manifest(*t.repo, t.world.world, second, small_sidecar());
  ASSERT_TRUE(name && other);
  const Bytes whole = *storage::get(t.store, *name, 1 << 20);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes edited = whole;
    edited[i] ^= std::byte{0x01};
    t.store.overwrite(*name, edited);
    const auto catalogue = Catalogue::load(*t.repo);
    ASSERT_TRUE(catalogue) << why_not(catalogue);
    ASSERT_THAT(catalogue->damaged(), SizeIs(1)) << "byte " << i;
    EXPECT_EQ(catalogue->damaged().front().object, *name);
    ASSERT_THAT(catalogue->points(), SizeIs(1));
    EXPECT_EQ(catalogue->points().front().object, *other);
  }
}

TEST(ManifestStore, CatalogueOfAThousandManifestsLoads) {
  TestRepo t;
  manifest::Manifest m = small_manifest();
  for (int i = 0; i < 1000; ++i) {
    if (i % 20 == 19) {
      m.segments.push_back(segment_ref(lineage_id(1), m.revision, m.revision + 5, 10));
      m.revision += 5;
    }
    m.latest.ns += kMinute;
    m.sequence = static_cast<std::uint64_t>(i);
    ASSERT_TRUE(publish_manifest(*t.repo, t.world.world, m, small_sidecar()));
  }
  const auto catalogue = Catalogue::load(*t.repo);
  ASSERT_TRUE(catalogue) << why_not(catalogue);
  EXPECT_THAT(catalogue->points(), SizeIs(51));
  EXPECT_THAT(catalogue->damaged(), IsEmpty());
  EXPECT_EQ(catalogue->points().back().manifest, [&] {
    manifest::Manifest newest = m;
    newest.sidecar_digest = crypto::sha256(small_sidecar()).text();
    return newest;
  }());
}

}  // namespace
}  // namespace lifeboat::repository
