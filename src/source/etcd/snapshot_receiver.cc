// The rules of a snapshot stream.
#include "source/etcd/snapshot_receiver.h"

#include <algorithm>

#include "base/text.h"

namespace lifeboat::source {
namespace {
constexpr std::uint64_t kFileBytesMax = INT64_MAX;  // no file is longer; sinks may add to the length
}  // namespace

SnapshotReceiver::SnapshotReceiver(std::string endpoint, SnapshotSink& sink, Progress& progress)
    : endpoint_(std::move(endpoint)), sink_(sink), progress_(progress) {
  info_.endpoint = endpoint_;
}

Status SnapshotReceiver::accept(const SnapshotMessage& message) {
  if (!begun_) TRY(begin(message));
  if (checksum_seen_) return broken("the server sent more after the checksum");
  if (received_ == info_.file_bytes) return accept_checksum(message);
  return accept_data(message);
}

Status SnapshotReceiver::begin(const SnapshotMessage& message) {
  begun_ = true;
  info_.version = message.version;
  const bool overflows = __builtin_add_overflow(message.remaining_bytes, message.blob_bytes, &info_.file_bytes);
  if (overflows || info_.file_bytes == 0 || info_.file_bytes > kFileBytesMax) {
    return broken("the first message announces an impossible length");
  }
  stage_.emplace(progress_, "receiving", info_.file_bytes);
  return of_sink(sink_.begin(info_.file_bytes, endpoint_));
}

Status SnapshotReceiver::accept_data(const SnapshotMessage& message) {
  if (message.blob_bytes == 0) {
    return broken("the server sent an empty block with " + count_text(message.remaining_bytes) +
                  " bytes still to come; its own read of the database failed");
  }
  const std::uint64_t missing = info_.file_bytes - received_;
  if (message.blob_bytes > missing || message.remaining_bytes != missing - message.blob_bytes) {
    return broken("after " + count_text(received_) + " of " + count_text(info_.file_bytes) + " bytes came " +
                  count_text(message.blob_bytes) + " more, with " + count_text(message.remaining_bytes) +
                  " said to remain");
  }
  for (const ByteView piece : message.blob) {
    hash_.update(piece);
    TRY(of_sink(sink_.write(piece)));
  }
  received_ += message.blob_bytes;
  progress_.advance(message.blob_bytes);
  return {};
}

Status SnapshotReceiver::accept_checksum(const SnapshotMessage& message) {
  Sha256 sent;
  if (message.remaining_bytes != 0 || message.blob_bytes != sent.bytes.size()) {
    return broken("a checksum of 32 bytes was due, and a block of " + count_text(message.blob_bytes) + " bytes came");
  }
  auto at = sent.bytes.begin();
  for (const ByteView piece : message.blob) at = std::ranges::copy(piece, at).out;
  checksum_seen_ = true;
  const Sha256 computed = hash_.finish();
  if (sent != computed) {
    return fail(ErrorCode::kSnapshotChecksum, "the snapshot from " + endpoint_ + " does not match its checksum",
                "etcd sent SHA-256 " + sent.text() + ", the bytes received have " + computed.text(),
                "Run the backup again; if it repeats, name another member in --endpoints.");
  }
  info_.sha256_hex = sent.text();
  return {};
}

Result<SnapshotInfo> SnapshotReceiver::finish() {
  if (checksum_seen_) return info_;
  std::string why = "the server ended the stream ";
  if (!begun_) {
    why += "without sending anything";
  } else if (received_ < info_.file_bytes) {
    why += "after " + count_text(received_) + " of " + count_text(info_.file_bytes) + " bytes";
  } else {
    why += "without the checksum that belongs behind the database";
  }
  return fail(ErrorCode::kSnapshotTruncated, "the snapshot from " + endpoint_ + " is cut short", std::move(why),
              "Run the backup again; if it repeats, name another member in --endpoints.");
}

std::unexpected<Error> SnapshotReceiver::broken(std::string why) const {
  return fail(ErrorCode::kSnapshotStreamBroken, "the snapshot stream from " + endpoint_ + " is broken", std::move(why));
}

Status SnapshotReceiver::of_sink(Status status) {
  sink_refused_ = !status.has_value();
  return status;
}

}  // namespace lifeboat::source
