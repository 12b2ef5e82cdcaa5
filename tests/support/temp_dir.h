// TempDir: a folder of one test, gone with it.
#pragma once

#include <filesystem>
#include <string>

namespace lifeboat::testing {

class TempDir {
 public:
  // Under $TMPDIR or /tmp, mode 0700; throws std::runtime_error when it cannot be made. With the environment
  // variable LIFEBOAT_KEEP set, the folder is left for a look.
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // The path of something inside.
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);

}  // namespace lifeboat::testing
