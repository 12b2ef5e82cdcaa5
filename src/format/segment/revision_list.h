// RevisionList: revisions in ascending order, in the few bytes that they take in a segment.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "format/etcd/record.h"

namespace lifeboat::segment {

// Two bytes for most revisions, as the `removed` section has them. A copy shares them.
class RevisionList {
 public:
  RevisionList() = default;
  RevisionList(std::initializer_list<etcd::Revision> ascending);

  // Above all that are there.
  void add(const etcd::Revision& revision);
  std::uint64_t size() const { return count_; }
  bool empty() const { return count_ == 0; }

  Bytes encode() const;
  // kObjectDamaged when it is cut, longer than its count, or does not ascend.
  static Result<RevisionList> decode(ByteView bytes);
  // What any of them holds, once.
  static RevisionList merge(const std::vector<RevisionList>& lists);

  // Reads a list from its start, which it keeps alive.
  class Cursor {
   public:
    explicit Cursor(const RevisionList& list) : steps_(list.steps_), rest_(list.steps()) {}
    bool next(etcd::Revision& out);  // false at the end

   private:
    std::shared_ptr<const Bytes> steps_;
    ByteView rest_;
    etcd::Revision at_;
  };

  // Whether a list holds a revision, for questions that ascend.
  class Lookup {
   public:
    explicit Lookup(const RevisionList& list) : cursor_(list) { present_ = cursor_.next(at_); }
    bool holds(const etcd::Revision& revision) {
      while (present_ && at_ < revision) present_ = cursor_.next(at_);
      return present_ && at_ == revision;
    }

   private:
    Cursor cursor_;
    etcd::Revision at_;
    bool present_ = false;
  };

 private:
  ByteView steps() const { return steps_ ? ByteView(*steps_) : ByteView(); }

  std::shared_ptr<Bytes> steps_;  // each: what is added to the main revision before, and the sub revision
  std::uint64_t count_ = 0;
  etcd::Revision last_;
};

bool operator==(const RevisionList& a, const RevisionList& b);

}  // namespace lifeboat::segment
