// The write-ahead log: byte for byte what etcdutl writes, and a reader that names every defect.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/endian.h"
#include "crypto/crc32c.h"
#include "format/etcd/rewrite.h"
#include "format/etcd/wire.h"
#include "format/wal/wal.h"

namespace lifeboat::wal {
namespace {

// What etcdutl 3.5.35 and 3.6.16 wrote for member n1 of this cluster, up to the preallocated zeros.
constexpr std::string_view kInitialCluster =
    "n1=http://127.0.0.1:23792,n2=http://127.0.0.1:23794,n3=http://127.0.0.1:23796";
constexpr std::string_view kGolden =
    "040000000000008408041000000000001f00000000000081080110b5a190b9041a1508dbe0c4e7bfa4dbd12810ca91"
    "86"
    "e3eebab5a69a01000e00000000000082080510e1d0cafb091a040800100000006e00000000000082080210fc98c3f2"
    "05"
    "1a64080110011801225c0800100018dbe0c4e7bfa4dbd128224c7b226964223a323932383330343138343035353930"
    "32"
    "3239392c227065657255524c73223a5b22687474703a2f2f3132372e302e302e313a3233373932225d2c226e616d65"
    "22"
    "3a226e31227d00006e00000000000082080210fd85e9a7081a64080110011802225c0800100018ecb38acebfb6cba0"
    "4c"
    "224c7b226964223a353439343732333237313338313339313835322c227065657255524c73223a5b22687474703a2f"
    "2f"
    "3132372e302e302e313a3233373936225d2c226e616d65223a226e33227d00006e000000000000820802109dd7a9b0"
    "0a"
    "1a64080110011803225c08001000189bc6de99b0d1e7ce4d224c7b226964223a353539323830303633323135353634"
    "34"
    "3639392c227065657255524c73223a5b22687474703a2f2f3132372e302e302e313a3233373934225d2c226e616d65"
    "22"
    "3a226e32227d00001800000000000000080310a2a2d78a0a1a0e080110dbe0c4e7bfa4dbd128180330000000000000"
    "00"
    "080510a58ac1b50d1a26080310011a2008dbe0c4e7bfa4dbd12808ecb38acebfb6cba04c089bc6de99b0d1e7ce4d28"
    "00";

Bytes from_hex(std::string_view text) {
  Bytes out(text.size() / 2);
  EXPECT_TRUE(parse_hex(text, out)) << text;
  return out;
}

etcd::NewCluster three_members() {
  return *etcd::new_cluster(*etcd::parse_initial_cluster(kInitialCluster), "tok-restore");
}
Bytes fresh() { return fresh_wal(three_members(), 0x28a36d23fcf1305b); }

std::string why_refused(ByteView file, std::uint32_t crc_before = 0) {
  const auto records = read_wal(file, crc_before);
  if (records) return "accepted";
  EXPECT_EQ(records.error().code(), ErrorCode::kWalDamaged);
  return records.error().why();
}

struct Item {
  RecordType type;
  std::string_view data;  // hex
};

// A file of a checksum record and the given ones, with frames and checksums right.
Bytes file_of(const std::vector<Item>& items) {
  Bytes file = from_hex("04000000000000840804100000000000");
  std::uint32_t crc = 0;
  for (const Item& item : items) {
    const Bytes data = from_hex(item.data);
    crc = crypto::crc32c(crc, data);
    Bytes record;
    etcd::append_varint_field(record, 1, static_cast<std::uint64_t>(item.type));
    etcd::append_varint_field(record, 2, crc);
    etcd::append_bytes_field(record, 3, data);
    const std::size_t pad = (8 - record.size() % 8) % 8;
    append_le(file, record.size() | (pad == 0 ? 0 : (0x80 | pad) << 56));
    append(file, record);
    file.resize(file.size() + pad);
  }
  return file;
}

TEST(Wal, OfAFreshMemberEqualsEtcdutlsByteForByte) {
  EXPECT_EQ(hex(fresh()), kGolden);
  EXPECT_EQ(fresh().size(), 528U);
}

TEST(Wal, FilesAreNamedAsEtcdNamesThem) {
  EXPECT_EQ(wal_file_name(0, 0), "0000000000000000-0000000000000000.wal");
  EXPECT_EQ(wal_file_name(1, 0xabcdef), "0000000000000001-0000000000abcdef.wal");
  EXPECT_EQ(snap_file_name(1, 3), "0000000000000001-0000000000000003.snap");
}

TEST(Wal, IsSummarisedAsWritten) {
  const auto summary = summarise_wal(fresh());
  ASSERT_TRUE(summary) << summary.error().to_string();
  EXPECT_EQ(summary->records, 8U);
  EXPECT_EQ(summary->node_id, 0x28a36d23fcf1305bU);
  EXPECT_EQ(summary->cluster_id, 0x9a4cd5d6ec6188caU);
  EXPECT_EQ(summary->first_index, 1U);
  EXPECT_EQ(summary->last_index, 3U);
  EXPECT_EQ(summary->last_term, 1U);
  EXPECT_EQ(summary->state.commit, 3U);
  EXPECT_EQ(summary->state.term, 1U);
  EXPECT_EQ(summary->state.vote, 0x28a36d23fcf1305bU);
  ASSERT_EQ(summary->snapshots.size(), 2U);
  EXPECT_EQ(summary->snapshots[0].index, 0U);
  EXPECT_EQ(summary->snapshots[1].index, 3U);
  EXPECT_EQ(summary->snapshots[1].voters,
            (std::vector<std::uint64_t>{0x28a36d23fcf1305b, 0x4c412db3f9c299ec, 0x4d9d9e8b0337a31b}));
}

TEST(Wal, TellsWhoseItIsByItsFirstBytes) {
  const Bytes file = fresh();
  const auto metadata = read_wal_metadata(ByteView(file).first(100));
  ASSERT_TRUE(metadata) << metadata.error().to_string();
  EXPECT_EQ(metadata->node_id, 0x28a36d23fcf1305b);
  EXPECT_EQ(metadata->cluster_id, three_members().id);
  for (const Bytes& none :
       {Bytes(), Bytes(64), to_bytes("something else entirely"), to_bytes(ByteView(file).first(20))})
    EXPECT_FALSE(read_wal_metadata(none));
  Bytes turned = file;
  turned[30] ^= std::byte{1};
  EXPECT_FALSE(read_wal_metadata(turned));
}

TEST(Wal, RecordsCarryTheRunningChecksumsOfARealRestore) {
  const auto records = read_wal(fresh());
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 8U);
  EXPECT_EQ((*records)[0].type, RecordType::kCrc);
  EXPECT_EQ((*records)[1].type, RecordType::kMetadata);
  EXPECT_EQ(hex((*records)[1].data), "08dbe0c4e7bfa4dbd12810ca9186e3eebab5a69a01");
  EXPECT_EQ((*records)[1].crc, 1193545909U);
  EXPECT_EQ(hex((*records)[2].data), "08001000");
  EXPECT_EQ((*records)[2].crc, 2675091553U);
  EXPECT_EQ((*records)[6].type, RecordType::kState);
  EXPECT_EQ((*records)[7].type, RecordType::kSnapshot);
}

TEST(Wal, EndsAtPreallocatedZerosOrAtTheEndOfTheFile) {
  Bytes file = fresh();
  file.resize(file.size() + 100'000);
  EXPECT_EQ(summarise_wal(file)->records, 8U);
  EXPECT_EQ(summarise_wal({})->records, 0U);
  file = fresh();
  file.resize(file.size() + 5);
  EXPECT_EQ(summarise_wal(file)->records, 8U);
}

// Whether a member with this WAL, and all else right, would be let boot.
bool may_boot(ByteView file) {
  const auto summary = summarise_wal(file);
  if (!summary) return false;
  etcd::RewriteOptions options;
  options.cluster = three_members();
  etcd::RewriteReport report;
  const etcd::Sidecar sidecar = etcd::rewrite_for_restore({}, options, report);
  const SnapSummary snap = read_snap(fresh_snap(options.cluster)).value();
  return disagreements(sidecar, *summary, snap_file_name(1, 3), snap).empty();
}

TEST(Wal, IsRefusedWhenAnyBitIsTurned) {
  const Bytes file = fresh();
  ASSERT_TRUE(may_boot(file));
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    Bytes broken = file;
    broken[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    ASSERT_FALSE(may_boot(broken)) << "byte " << bit / 8 << " bit " << bit % 8;
  }
}

TEST(Wal, TurnedBitsAreFoundByTheReaderAloneExceptInTypesWhichNoChecksumCovers) {
  const Bytes file = fresh();
  std::size_t accepted = 0;
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    Bytes broken = file;
    broken[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    const auto records = read_wal(broken);
    if (!records) continue;
    ++accepted;
    EXPECT_EQ(file[bit / 8 - 1], std::byte{0x08}) << "byte " << bit / 8 << " is no type";
  }
  EXPECT_LE(accepted, 16U);
}

TEST(Wal, IsRefusedWhenCutInsideARecordAndShorterWhenCutBetweenTwo) {
  const Bytes file = fresh();
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto records = read_wal(ByteView(file).first(size));
    if (!records) continue;
    ++accepted;
    EXPECT_EQ(records->size() + 1, accepted) << size;
  }
  EXPECT_EQ(accepted, 8U);
}

TEST(Wal, NamesTheDefectOfAFrame) {
  const Bytes file = fresh();
  const auto with = [&](std::size_t at, unsigned char value) {
    Bytes broken = file;
    broken[at] = static_cast<std::byte>(value);
    return why_refused(broken);
  };
  EXPECT_NE(with(16, 0x1e).find("contradicts"), std::string::npos);
  EXPECT_NE(with(18, 0xff).find("beyond the file"), std::string::npos);
  EXPECT_NE(with(23, 0x82).find("contradicts"), std::string::npos);
  EXPECT_NE(with(15, 0x01).find("padding"), std::string::npos);
  EXPECT_NE(with(25, 0x06).find("unknown type 6"), std::string::npos);
  EXPECT_NE(with(40, 0x00).find("checksum"), std::string::npos);
  EXPECT_NE(why_refused(ByteView(file).subspan(16)).find("starts with one checksum record"), std::string::npos);
  Bytes twice = file;
  append(twice, file);
  EXPECT_NE(why_refused(twice).find("starts with one checksum record"), std::string::npos);
  EXPECT_NE(why_refused(from_hex("ffffffffffffff00")).find("beyond the file"), std::string::npos);
  EXPECT_NE(why_refused(from_hex("01")).find("inside a length"), std::string::npos);
}

TEST(Wal, ContinuesTheChecksumOfTheFileBefore) {
  // A second file: a checksum record of 77, nothing else.
  const Bytes next = from_hex(
      "0400000000000084"
      "0804104d00000000");
  EXPECT_EQ(why_refused(next, 77), "accepted");
  EXPECT_EQ(why_refused(next, 0), "accepted") << "the chain before is not known";
  EXPECT_NE(why_refused(next, 78), "accepted");
}

TEST(Wal, NamesTheMessageThatDoesNotParse) {
  const auto why = [](RecordType type, std::string_view data) {
    const auto summary = summarise_wal(file_of({{type, data}}));
    return summary ? std::string("accepted") : summary.error().why();
  };
  EXPECT_EQ(why(RecordType::kMetadata, "08011002"), "accepted");
  EXPECT_EQ(why(RecordType::kMetadata, "0a0161"), "its metadata does not parse");
  EXPECT_EQ(why(RecordType::kEntry, "08"), "its entry does not parse");
  EXPECT_EQ(why(RecordType::kEntry, "080010011800"), "its entry has the index 0");
  EXPECT_EQ(why(RecordType::kEntry, "080010011809"), "accepted");
  EXPECT_EQ(why(RecordType::kState, "0a00"), "its hard state does not parse");
  EXPECT_EQ(why(RecordType::kSnapshot, "0a00"), "its snapshot record does not parse");
  EXPECT_EQ(why(RecordType::kSnapshot, "080110011a0108"), "the conf state of its snapshot record does not parse");
}

TEST(Wal, AcceptsTheOrdersOfEntriesThatRaftCanWriteAndNoOther) {
  const auto entries = [](const std::vector<Item>& items) {
    const auto summary = summarise_wal(file_of(items));
    return summary ? fmt::format("{}-{}", summary->first_index, summary->last_index) : summary.error().why();
  };
  const Item mark0{RecordType::kSnapshot, "08001000"};
  const Item mark9{RecordType::kSnapshot, "08091001"};
  const Item entry1{RecordType::kEntry, "080010011801"};
  const Item entry2{RecordType::kEntry, "080010011802"};
  const Item entry3{RecordType::kEntry, "080010011803"};
  const Item entry10{RecordType::kEntry, "08001001180a"};
  EXPECT_EQ(entries({mark0, entry1, entry2, entry3}), "1-3");
  EXPECT_EQ(entries({mark0, entry1, entry2, entry3, entry2}), "1-2") << "a new leader replaces entries";
  EXPECT_EQ(entries({mark0, entry1, mark9, entry10}), "10-10") << "a snapshot from the leader";
  EXPECT_EQ(entries({entry10}), "10-10") << "a later file";
  EXPECT_EQ(entries({mark9, entry10}), "10-10");
  EXPECT_EQ(entries({mark0, entry2}), "its entry 2 follows entry 0");
  EXPECT_EQ(entries({mark0, entry1, entry3}), "its entry 3 follows entry 1");
  EXPECT_EQ(entries({entry3, entry10}), "its entry 10 follows entry 3");
}

TEST(Wal, ReadsVotersPackedOrNot) {
  const auto voters = [](std::string_view data) {
    return summarise_wal(file_of({{RecordType::kSnapshot, data}}))->snapshots.front().voters;
  };
  EXPECT_EQ(voters("080110011a0408050806"), (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(voters("080110011a040a020506"), (std::vector<std::uint64_t>{5, 6}));
}

}  // namespace
}  // namespace lifeboat::wal
