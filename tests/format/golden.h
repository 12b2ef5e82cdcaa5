// Golden bytes: what each version of each format was written as, kept for ever.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"

namespace lifeboat::testing {

inline std::string golden_path(const std::string& name) {
  return std::string(LIFEBOAT_TEST_DATA) + "/format/golden/" + name;
}

inline Bytes read_golden(const std::string& name) {
  std::ifstream file(golden_path(name), std::ios::binary);
  EXPECT_TRUE(file) << golden_path(name) << " is not there";
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return to_bytes(text);
}

// Compares with the kept bytes; LIFEBOAT_WRITE_GOLDEN=1 writes them (for a new version of a format
// only).
inline void expect_golden(const std::string& name, ByteView bytes) {
  if (std::getenv("LIFEBOAT_WRITE_GOLDEN") != nullptr) {
    std::ofstream file(golden_path(name), std::ios::binary);
    file << as_text(bytes);
  }
  EXPECT_TRUE(equal(read_golden(name), bytes)) << name << " would be written differently now";
}

}  // namespace lifeboat::testing
