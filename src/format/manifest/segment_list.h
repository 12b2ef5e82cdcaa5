// SegmentList: the segments of a point, in order. Neighbouring points name nearly the same ones, and a repo has
// thousands of points: a list holds its references shared, so that a copy costs a pointer for each of them.
#pragma once

#include <compare>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "format/manifest/segment_ref.h"

namespace lifeboat::manifest {

// What it holds never changes; it grows at its end.
class SegmentList {
  using Shared = std::shared_ptr<const SegmentRef>;

 public:
  class const_iterator;
  using value_type = SegmentRef;

  SegmentList() = default;
  SegmentList(std::initializer_list<SegmentRef> refs);

  void push_back(SegmentRef ref) { refs_.push_back(std::make_shared<const SegmentRef>(std::move(ref))); }
  void append(const SegmentList& other) { refs_.insert(refs_.end(), other.refs_.begin(), other.refs_.end()); }
  // The elements from `index` on.
  SegmentList from(std::size_t index) const;
  void reserve(std::size_t count) { refs_.reserve(count); }
  void clear() { refs_.clear(); }

  bool empty() const { return refs_.empty(); }
  std::size_t size() const { return refs_.size(); }
  const SegmentRef& operator[](std::size_t index) const { return *refs_[index]; }
  const SegmentRef& front() const { return *refs_.front(); }
  const SegmentRef& back() const { return *refs_.back(); }
  const_iterator begin() const;
  const_iterator end() const;

  bool operator==(const SegmentList& other) const;

 private:
  friend class SegmentPool;

  std::vector<Shared> refs_;
};

class SegmentList::const_iterator {
 public:
  using value_type = SegmentRef;
  using difference_type = std::ptrdiff_t;
  using reference = const SegmentRef&;
  using pointer = const SegmentRef*;
  using iterator_category = std::random_access_iterator_tag;

  const_iterator() = default;
  explicit const_iterator(const Shared* at) : at_(at) {}

  reference operator*() const { return **at_; }
  pointer operator->() const { return at_->get(); }
  reference operator[](difference_type n) const { return *at_[n]; }
  const_iterator& operator++() { return *this += 1; }
  const_iterator& operator--() { return *this -= 1; }
  const_iterator operator++(int) { return const_iterator(at_++); }
  const_iterator operator--(int) { return const_iterator(at_--); }
  const_iterator& operator+=(difference_type n) {
    at_ += n;
    return *this;
  }
  const_iterator& operator-=(difference_type n) { return *this += -n; }
  friend const_iterator operator+(const_iterator it, difference_type n) { return it += n; }
  friend const_iterator operator+(difference_type n, const_iterator it) { return it += n; }
  friend const_iterator operator-(const_iterator it, difference_type n) { return it -= n; }
  friend difference_type operator-(const_iterator a, const_iterator b) { return a.at_ - b.at_; }
  friend auto operator<=>(const_iterator a, const_iterator b) = default;

 private:
  const Shared* at_ = nullptr;
};

inline SegmentList::const_iterator SegmentList::begin() const { return const_iterator(refs_.data()); }
inline SegmentList::const_iterator SegmentList::end() const { return const_iterator(refs_.data() + refs_.size()); }

// Makes lists that were read apart share what is equal in them. For one thread.
class SegmentPool {
 public:
  // How many of the list's references it had not seen before, and holds from now on.
  std::size_t share(SegmentList& list);
  // Forgets those that no list holds any more.
  void drop_unused();
  std::size_t size() const { return refs_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const SegmentList::Shared& ref) const;
  };
  struct Equal {
    bool operator()(const SegmentList::Shared& a, const SegmentList::Shared& b) const { return *a == *b; }
  };

  std::unordered_set<SegmentList::Shared, Hash, Equal> refs_;
};

}  // namespace lifeboat::manifest
