#include "storage/pin.h"

#include <ranges>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "storage/object_name.h"

namespace lifeboat::storage {
namespace {

constexpr std::uint32_t kPinMode = 0600;
constexpr std::string_view kMachineKey = "machine ";
constexpr char kMachineIdFile[] = "/etc/machine-id";
constexpr char kHostNameFile[] = "/proc/sys/kernel/hostname";
constexpr char kNoMachine[] = "-";
constexpr std::uint64_t kMaxMachineIdBytes = 4096;
constexpr std::uint64_t kMaxPinBytes = 16ull << 20;  // a hundred thousand names

class FilePin final : public Pin {
 public:
  FilePin(io::FileSystem& files, std::string path, std::unique_ptr<io::File> file)
      : files_(files), path_(std::move(path)), file_(std::move(file)) {}

  void release() override { static_cast<void>(files_.remove_file(path_)); }

 private:
  io::FileSystem& files_;
  const std::string path_;
  const std::unique_ptr<io::File> file_;  // locked
};

// Distinguishes the machines that share a folder, whose locks may not reach each other: the id, and the name where one
// was made as a copy of another. "-" where it has no id.
std::string machine_of(io::FileSystem& files) {
  const auto id = io::read_whole(files, kMachineIdFile, kMaxMachineIdBytes);
  if (!id || id->empty()) return kNoMachine;
  const Bytes name = io::read_whole(files, kHostNameFile, kMaxMachineIdBytes).value_or(Bytes());
  return crypto::sha256(as_bytes(fmt::format("lifeboat pin {} {}", as_text(*id), as_text(name)))).text();
}

// A dead writer's, locked.
struct DeadPin {
  std::string path;
  std::unique_ptr<io::File> file;
};

// Held until nobody can mistake it for a living one: a writer that released its pin meanwhile is done, too.
Result<std::vector<DeadPin>> lock_dead_pins(io::FileSystem& files, const std::string& directory) {
  std::vector<DeadPin> dead;
  for (const io::DirEntry& entry : TRY(files.list(directory))) {
    if (entry.kind != io::FileKind::kFile || !entry.name.starts_with(kPinPrefix)) continue;
    std::string path = io::join(directory, entry.name);
    auto file = files.open(path, {.write = true});
    if (!file && io::is_not_found(file.error())) continue;
    if (!file) return std::unexpected(file.error());
    if (TRY((*file)->try_lock())) dead.push_back({std::move(path), *std::move(file)});
  }
  return dead;
}

struct PinContent {
  std::string machine;
  std::vector<std::string> objects;
};

Result<PinContent> read_pin(const DeadPin& pin) {
  const std::uint64_t size = TRY(pin.file->size());
  if (size > kMaxPinBytes) return fail(ErrorCode::kObjectDamaged, pin.path, "it is too long for a pin");
  Bytes bytes(size);
  bytes.resize(TRY(pin.file->read_at(0, bytes)));
  PinContent content;
  for (const auto line : std::views::split(as_text(bytes), '\n')) {
    std::string text(line.begin(), line.end());
    if (text.starts_with(kMachineKey)) content.machine = text.substr(kMachineKey.size());
    if (valid_object_name(text)) content.objects.push_back(std::move(text));
  }
  return content;
}

}  // namespace

// It is locked before it has a name, so nobody finds it unlocked while its writer lives.
Result<std::unique_ptr<Pin>> pin_in(io::FileSystem& files, const std::string& directory,
                                    const std::vector<std::string>& objects) {
  const std::string content = fmt::format("{}{}\n{}\n", kMachineKey, machine_of(files), fmt::join(objects, "\n"));
  std::string path = io::join(directory, fmt::format("{}{}", kPinPrefix, crypto::sha256(as_bytes(content)).text()));
  auto file = TRY(files.create_unnamed(directory, {.write = true, .mode = kPinMode}));
  if (!TRY(file->try_lock())) return fail(ErrorCode::kInternal, "a new file is locked");
  TRY(file->write_at(0, as_bytes(content)));
  TRY(file->sync());
  TRY(file->publish(path));
  TRY(files.sync_directory(directory));
  return std::make_unique<FilePin>(files, std::move(path), std::move(file));
}

// All are locked before the first question: what a writer named before it ended is found by whoever asks then.
Status sweep_pins(io::FileSystem& files, const std::string& directory, const IsNamed& is_named,
                  const std::function<Status(const std::string&)>& remove) {
  const std::vector<DeadPin> dead = TRY(lock_dead_pins(files, directory));
  const std::string machine = machine_of(files);
  for (const DeadPin& pin : dead) {
    const PinContent content = TRY(read_pin(pin));
    if (content.machine != machine || machine == kNoMachine) continue;
    for (const std::string& object : content.objects)
      if (!TRY(is_named(object))) TRY(remove(object));
    const Status removed = files.remove_file(pin.path);
    if (!removed && !io::is_not_found(removed.error())) return removed;
  }
  return {};
}

}  // namespace lifeboat::storage
