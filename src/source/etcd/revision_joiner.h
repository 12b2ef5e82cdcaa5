// RevisionJoiner: events of a watch of the whole key space become whole revisions, checked to
// follow each other.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "base/result.h"
#include "format/etcd/record.h"
#include "source/etcd/watch_message.h"

namespace lifeboat::source {

// Source of the rules: etcd v3.6 server/storage/mvcc/watchable_store.go,
// server/etcdserver/api/v3rpc/watch.go (sendFragments): the events of one main revision come in
// (main, sub) order in one message, or in a run of fragments.
class RevisionJoiner {
 public:
  // `from`: the first revision wanted. What comes below it is dropped. No record exists below
  // revision 2.
  explicit RevisionJoiner(std::int64_t from);

  // Takes the events of one message. kLogRuleBroken when a revision is missing, comes twice or goes
  // back. `more`: a further fragment follows, so the last revision may not be whole yet.
  Status add(std::span<const WatchEvent> events, bool more);
  // The revisions that became whole by the last add(); valid until the next one, and as long as its
  // events' bytes.
  std::span<const etcd::Record> whole() const { return std::span(records_).first(whole_); }
  // Every revision up to it was whole.
  std::int64_t reached() const { return reached_; }
  // A revision has begun and waits for its other fragments.
  bool in_between() const { return open_main_ != 0; }
  // Reserved for events of earlier messages: what the last delivered and the open revision need, and a chunk.
  std::size_t held_bytes() const;

 private:
  Status take(const WatchEvent& event);
  void forget_delivered();
  void keep_open_revision();
  ByteView keep(ByteView bytes);

  struct Chunk {
    Bytes bytes;                 // never moved
    std::int64_t last_main = 0;  // the youngest revision with bytes in it: delivered, it goes
  };

  std::int64_t from_;
  std::int64_t reached_;
  std::int64_t open_main_ = 0;  // the revision under way; 0: none
  std::vector<etcd::Record> records_;
  std::size_t whole_ = 0;     // of records_, from the front
  std::size_t kept_ = 0;      // of the open revision's records, whose bytes are in chunks_
  std::deque<Chunk> chunks_;  // bytes of the open revision that came in earlier messages
};

}  // namespace lifeboat::source
