#include <gtest/gtest.h>

#include "format/golden.h"
#include "format/object/key_set.h"
#include "format/object_support.h"

namespace lifeboat::object {
namespace {

constexpr crypto::Argon2Cost kCheap{1, 8192};

std::array<std::byte, 16> short_salt() {
  std::array<std::byte, 16> salt;
  salt.fill(std::byte{0x33});
  return salt;
}

const Bytes kKeyFile = text_bytes(32);

Bytes by_passphrase() {
  return wrap_keys(fixed_epoch(), fixed_repo(), {RecipientKind::kPassphrase, "passphrase"}, as_bytes("correct horse"),
                   short_salt(), kCheap)
      .value();
}
Bytes by_key_file() {
  return wrap_keys(fixed_epoch(), fixed_repo(), {RecipientKind::kKeyFile, "key-file-1"}, kKeyFile, short_salt(), {})
      .value();
}

bool same(const EpochKeys& a, const EpochKeys& b) {
  return a.epoch == b.epoch && equal(a.content.view(), b.content.view()) &&
         equal(a.planning.view(), b.planning.view()) && equal(a.identity.view(), b.identity.view());
}

template <typename T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode::kUsage : result.error().code();
}

std::string replaced(ByteView object, std::string_view from, std::string_view to) {
  std::string text = to_string(object);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// The same edit with a checksum that fits it: what somebody does on purpose.
Bytes forged(ByteView object, std::string_view from, std::string_view to) {
  std::string text = replaced(object, from, to);
  const std::size_t at = text.find("\"checksum\":\"");
  const std::size_t size = std::string_view("\"checksum\":\"\",").size() + 64;
  std::string without = text;
  without.erase(at, size);
  text.replace(at + 12, 64, crypto::sha256(as_bytes(without)).text());
  return to_bytes(text);
}

TEST(KeySet, OpensWithItsCredential) {
  const auto from_passphrase = unwrap_keys(by_passphrase(), fixed_repo(), as_bytes("correct horse"));
  ASSERT_TRUE(from_passphrase) << from_passphrase.error().to_string();
  EXPECT_TRUE(same(*from_passphrase, fixed_epoch()));
  const auto from_file = unwrap_keys(by_key_file(), fixed_repo(), kKeyFile);
  ASSERT_TRUE(from_file) << from_file.error().to_string();
  EXPECT_TRUE(same(*from_file, fixed_epoch()));
}

TEST(KeySet, AnotherCredentialIsTheWrongKey) {
  for (const std::string_view guess : {"", "correct hors", "correct horse ", "Correct horse"})
    EXPECT_EQ(code_of(unwrap_keys(by_passphrase(), fixed_repo(), as_bytes(guess))), ErrorCode::kWrongKey);
  Bytes file = kKeyFile;
  file.back() ^= std::byte{1};
  EXPECT_EQ(code_of(unwrap_keys(by_key_file(), fixed_repo(), file)), ErrorCode::kWrongKey);
}

TEST(KeySet, SaysWhomItIsForWithoutACredential) {
  const auto described = describe_wrapped(by_key_file());
  ASSERT_TRUE(described);
  EXPECT_EQ(described->repo, fixed_repo());
  EXPECT_EQ(described->epoch, 1u);
  EXPECT_EQ(described->recipient.kind, RecipientKind::kKeyFile);
  EXPECT_EQ(described->recipient.label, "key-file-1");
}

TEST(KeySet, AnyByteChangedOrCutIsFound) {
  for (const Bytes& object : {by_key_file(), by_passphrase()}) {
    for (std::size_t at = 0; at < object.size(); ++at) {
      for (const unsigned flip : {0x01u, 0x20u, 0x80u}) {
        Bytes edited = object;
        edited[at] ^= static_cast<std::byte>(flip);
        EXPECT_EQ(code_of(describe_wrapped(edited)), ErrorCode::kObjectDamaged) << at << " ^ " << flip;
      }
      EXPECT_EQ(code_of(describe_wrapped(ByteView(object).first(at))), ErrorCode::kObjectDamaged) << at;
    }
  }
}

TEST(KeySet, AnotherTextOfTheSameValuesIsFound) {
  const Bytes object = by_key_file();
  EXPECT_EQ(code_of(describe_wrapped(as_bytes(replaced(object, "\"epoch\":1", "\"epoch\": 1")))),
            ErrorCode::kObjectDamaged);
  EXPECT_EQ(code_of(describe_wrapped(as_bytes(to_string(object) + "\n"))), ErrorCode::kObjectDamaged);
  EXPECT_EQ(code_of(describe_wrapped(as_bytes(replaced(object, "{", "{\"epoch\":1,")))), ErrorCode::kObjectDamaged);
}

TEST(KeySet, AForgedFieldNeverOpens) {
  const Bytes object = by_key_file();
  ASSERT_TRUE(describe_wrapped(forged(object, "key-file-1", "key-file-2"))) << "the forgery itself must be sound";
  for (const auto& [from, to] : {std::pair{"key-file-1", "key-file-2"},
                                 {"\"epoch\":1", "\"epoch\":2"},
                                 {"\"salt\":\"33", "\"salt\":\"34"},
                                 {"\"sealed\":\"", "\"sealed\":\"00"}}) {
    const auto opened = unwrap_keys(forged(object, from, to), fixed_repo(), kKeyFile);
    EXPECT_FALSE(opened) << from;
  }
}

TEST(KeySet, TheCostThatAFileAsksForIsBounded) {
  const Bytes object = by_passphrase();
  for (const auto& [from, to] : {std::pair{"\"argon2id_memory_bytes\":8192", "\"argon2id_memory_bytes\":1073741825"},
                                 {"\"argon2id_memory_bytes\":8192", "\"argon2id_memory_bytes\":18446744073709551615"},
                                 {"\"argon2id_memory_bytes\":8192", "\"argon2id_memory_bytes\":8191"},
                                 {"\"argon2id_passes\":1", "\"argon2id_passes\":0"},
                                 {"\"argon2id_passes\":1", "\"argon2id_passes\":21"}})
    EXPECT_EQ(code_of(unwrap_keys(forged(object, from, to), fixed_repo(), as_bytes("x"))), ErrorCode::kObjectDamaged);
  EXPECT_EQ(code_of(wrap_keys(fixed_epoch(), fixed_repo(), {RecipientKind::kPassphrase, "p"}, as_bytes("x"),
                              short_salt(), {21, 8192})),
            ErrorCode::kBadSetting);
}

TEST(KeySet, RefusesLabelsAndKeyFilesThatCannotBeUsed) {
  for (const std::string& label : {std::string(), std::string("A"), std::string("a/b"), std::string(33, 'a')})
    EXPECT_EQ(
        code_of(wrap_keys(fixed_epoch(), fixed_repo(), {RecipientKind::kKeyFile, label}, kKeyFile, short_salt(), {})),
        ErrorCode::kBadSetting)
        << label;
  EXPECT_EQ(code_of(wrap_keys(fixed_epoch(), fixed_repo(), {RecipientKind::kKeyFile, "f"}, as_bytes("too short"),
                              short_salt(), {})),
            ErrorCode::kBadSetting);
}

TEST(KeySet, OneOfAnotherRepoIsRefused) {
  RepoId other = fixed_repo();
  other.bytes[3] ^= std::byte{1};
  EXPECT_EQ(code_of(unwrap_keys(by_key_file(), other, kKeyFile)), ErrorCode::kObjectDamaged);
}

TEST(KeySet, ANewerVersionIsSaidSo) {
  EXPECT_EQ(code_of(describe_wrapped(forged(by_key_file(), "\"version\":1", "\"version\":2"))),
            ErrorCode::kRepoVersionUnknown);
}

TEST(KeySetGolden, Version1IsWrittenAndReadAsEver) {
  testing::expect_golden("key-set-v1-passphrase.json", by_passphrase());
  testing::expect_golden("key-set-v1-key-file.json", by_key_file());
}

RepoFormat some_format() {
  RepoFormat format;
  format.repo = fixed_repo();
  format.created = {1'790'000'000'123'456'789};
  format.write_features = {"later"};
  return format;
}

TEST(RepoFormat, RoundTrips) {
  const auto parsed = parse_repo_format(encode_repo_format(some_format()));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->repo, fixed_repo());
  EXPECT_EQ(parsed->version, 1);
  EXPECT_EQ(parsed->created, some_format().created);
  EXPECT_EQ(parsed->write_features, std::vector<std::string>{"later"});
}

TEST(RepoFormat, AnyByteChangedOrCutIsFound) {
  const Bytes object = encode_repo_format(some_format());
  for (std::size_t at = 0; at < object.size(); ++at) {
    for (const unsigned flip : {0x01u, 0x20u, 0x80u}) {
      Bytes edited = object;
      edited[at] ^= static_cast<std::byte>(flip);
      EXPECT_EQ(code_of(parse_repo_format(edited)), ErrorCode::kObjectDamaged) << at << " ^ " << flip;
    }
    EXPECT_EQ(code_of(parse_repo_format(ByteView(object).first(at))), ErrorCode::kObjectDamaged) << at;
  }
}

TEST(RepoFormat, ANewerVersionOrAMandatoryFeatureIsSaidSo) {
  RepoFormat format = some_format();
  format.version = 2;
  EXPECT_EQ(code_of(parse_repo_format(encode_repo_format(format))), ErrorCode::kRepoVersionUnknown);
  for (const auto features : {&RepoFormat::read_features, &RepoFormat::write_features, &RepoFormat::gc_features}) {
    RepoFormat mandatory;
    mandatory.repo = fixed_repo();
    (mandatory.*features) = {"fine", "!parity"};
    const auto parsed = parse_repo_format(encode_repo_format(mandatory));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), ErrorCode::kRepoFeatureUnknown);
    EXPECT_NE(parsed.error().what().find("parity"), std::string::npos);
  }
}

TEST(RepoFormat, DeepNestingIsRefusedBeforeItIsParsed) {
  EXPECT_EQ(code_of(parse_repo_format(as_bytes("{\"a\":" + std::string(60'000, '[')))), ErrorCode::kObjectDamaged);
  EXPECT_EQ(code_of(parse_repo_format(as_bytes("{\"a\":" + std::string(20'000, '[') + std::string(20'000, ']') + "}"))),
            ErrorCode::kObjectDamaged);
}

TEST(RepoFormatGolden, Version1IsWrittenAndReadAsEver) {
  testing::expect_golden("repo-format-v1.json", encode_repo_format(some_format()));
}

}  // namespace
}  // namespace lifeboat::object
