#include "crypto/aead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lifeboat::crypto {
namespace {

Secret key_of(std::byte fill) {
  Secret key(kAeadKeyBytes);
  std::ranges::fill(key.view(), fill);
  return key;
}

struct Sealed {
  Bytes cipher, tag;
};

Sealed seal(Aead& aead, std::uint64_t counter, ByteView aad, ByteView plain) {
  Sealed out{Bytes(plain.size()), Bytes(kAeadTagBytes)};
  aead.seal(counter, aad, plain, out.cipher, out.tag);
  return out;
}

// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14: key and nonce
// zero.
TEST(Aead, GivesThePublishedVectors) {
  Aead aead(key_of(std::byte{0}));
  EXPECT_EQ(hex(seal(aead, 0, {}, {}).tag), "530f8afbc74536b9a963b4f1c4cb738b");
  const Sealed zeros = seal(aead, 0, {}, Bytes(16));
  EXPECT_EQ(hex(zeros.cipher), "cea7403d4d606b6e074ec5d3baf39d18");
  EXPECT_EQ(hex(zeros.tag), "d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(Aead, OpensWhatItSealedAtAnyLengthAndInAnyOrder) {
  std::mt19937_64 random(1);
  Aead aead(key_of(std::byte{3}));
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 4096u, 1'000'003u}) {
    Bytes plain(size);
    for (auto& b : plain) b = static_cast<std::byte>(random());
    const Sealed a = seal(aead, size, as_bytes("about"), plain);
    const Sealed b = seal(aead, size + 1, {}, plain);
    Bytes out(size);
    EXPECT_TRUE(aead.open(size + 1, {}, b.cipher, b.tag, out));
    EXPECT_EQ(out, plain);
    EXPECT_TRUE(aead.open(size, as_bytes("about"), a.cipher, a.tag, out));
    EXPECT_EQ(out, plain);
  }
}

TEST(Aead, RefusesAnyChangeAndGivesNoPlainText) {
  Aead aead(key_of(std::byte{3}));
  const Bytes plain = to_bytes("the quick brown fox");
  const Sealed sealed = seal(aead, 5, as_bytes("about"), plain);
  const auto refused = [&](std::uint64_t counter, std::string_view aad, Bytes cipher, Bytes tag, Aead& with) {
    Bytes out(cipher.size(), std::byte{0xee});
    return !with.open(counter, as_bytes(aad), cipher, tag, out) && out == Bytes(cipher.size());
  };
  EXPECT_TRUE(refused(6, "about", sealed.cipher, sealed.tag, aead));
  EXPECT_TRUE(refused(5ull << 32, "about", sealed.cipher, sealed.tag, aead));
  EXPECT_TRUE(refused(5, "abouT", sealed.cipher, sealed.tag, aead));
  EXPECT_TRUE(refused(5, "", sealed.cipher, sealed.tag, aead));
  EXPECT_TRUE(refused(5, "about", sealed.cipher, Bytes(15), aead));
  Aead other(key_of(std::byte{4}));
  EXPECT_TRUE(refused(5, "about", sealed.cipher, sealed.tag, other));
  for (std::size_t bit = 0; bit < 8 * plain.size(); ++bit) {
    Bytes cipher = sealed.cipher;
    cipher[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_TRUE(refused(5, "about", cipher, sealed.tag, aead)) << bit;
  }
  for (std::size_t bit = 0; bit < 8 * kAeadTagBytes; ++bit) {
    Bytes tag = sealed.tag;
    tag[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_TRUE(refused(5, "about", sealed.cipher, tag, aead)) << bit;
  }
  Bytes out(plain.size());
  EXPECT_TRUE(aead.open(5, as_bytes("about"), sealed.cipher, sealed.tag, out)) << "still usable after refusals";
}

TEST(Aead, SealsInPlaceAndACloneHasTheSameKey) {
  Aead aead(key_of(std::byte{9}));
  Aead clone = aead.clone();
  Bytes text = to_bytes("in place");
  Bytes tag(kAeadTagBytes);
  aead.seal(1, {}, text, text, tag);
  EXPECT_NE(as_text(text), "in place");
  EXPECT_TRUE(clone.open(1, {}, text, tag, text));
  EXPECT_EQ(as_text(text), "in place");
}

}  // namespace
}  // namespace lifeboat::crypto
