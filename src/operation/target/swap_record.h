// SwapRecord: what marks a tree that Lifeboat built, and what the journal of an in-place swap says.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::operation {

enum class SwapDirection { kRestore, kUndo };

struct SwapRecord {
  std::string id;  // random; equal in a journal and in the marks of the tree it brings in
  std::string point;
  std::int64_t revision = 0;
  std::string wal_dir;       // elsewhere; empty: inside the data directory
  std::string kept;          // name of the folder that keeps the old tree; empty: nothing was there (a fresh restore)
  bool kept_inside = false;  // in the data directory (which is a file system of its own), not beside it
  std::string kept_wal;      // name of the folder beside wal_dir that keeps the old WAL
  SwapDirection direction = SwapDirection::kRestore;  // of a journal
  bool operator==(const SwapRecord&) const = default;

  std::string kept_path(const std::string& data_dir) const;
  std::string kept_wal_path() const;
};

Bytes encode_record(const SwapRecord& record);
// nullopt when the bytes are not one, or a name in it is not a plain name.
std::optional<SwapRecord> decode_record(ByteView bytes);

}  // namespace lifeboat::operation
