#include "operation/target/in_place_swap.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <functional>

namespace lifeboat::operation {
namespace {

constexpr std::uint64_t kMaxJournalBytes = 64 * 1024;
constexpr std::chrono::milliseconds kLockPollTime{200};  // bbolt asks every 50 ms

Result<bool> carries_mark(io::FileSystem& files, const MemberLayout& layout, const std::string& id) {
  const std::optional<Bytes> mark = TRY(read_mark(files, layout));
  const std::optional<SwapRecord> record = mark ? decode_record(*mark) : std::nullopt;
  return record && record->id == id;
}

Result<bool> wal_carries_mark(io::FileSystem& files, const MemberLayout& layout, const std::string& id) {
  if (!layout.wal_is_elsewhere() || !TRY(io::exists(files, layout.wal_mark()))) return false;
  const Bytes mark = TRY(io::read_whole(files, layout.wal_mark(), kMaxJournalBytes));
  const std::optional<SwapRecord> record = decode_record(mark);
  return record && record->id == id;
}

Status exchange_members(io::FileSystem& files, const SwapTrees& trees) {
  TRY(files.exchange(trees.live.member(), trees.kept.member()));
  TRY(files.sync_directory(trees.live.data_dir()));
  return files.sync_directory(trees.kept.data_dir());
}

Status exchange_wals(io::FileSystem& files, const SwapTrees& trees) {
  TRY(files.exchange(trees.live.wal(), trees.kept.wal()));
  return files.sync_directory(io::parent_of(trees.live.wal()));
}

Status write_journal(io::FileSystem& files, const std::string& data_dir, const SwapRecord& record) {
  return io::publish_file(files, journal_path(data_dir), encode_record(record), 0600);
}

Status remove_journal(io::FileSystem& files, const std::string& data_dir) {
  TRY(files.remove_file(journal_path(data_dir)));
  return files.sync_directory(data_dir);
}

// Renames within one file system, durable in both folders.
Status move_folder(io::FileSystem& files, const std::string& from, const std::string& to) {
  TRY(files.rename_new(from, to));
  TRY(files.sync_directory(io::parent_of(to)));
  return files.sync_directory(io::parent_of(from));
}

Status lock_both(io::FileSystem& files, const SwapTrees& trees, DatabaseLocks& locks) {
  for (const MemberLayout* layout : {&trees.live, &trees.kept}) {
    const std::string database = TRY(find_database(files, *layout));
    TRY(locks.take(files, database));
  }
  return {};
}

// The tree in K never was live: it carries the mark, and the live member does not. An empty K is what a crash left of
// its removal.
Status remove_unused(io::FileSystem& files, const SwapTrees& trees, const std::string& id) {
  if (TRY(carries_mark(files, trees.kept, id))) TRY(remove_marked_member(files, trees.kept));
  const std::string& folder = trees.kept.data_dir();
  if (TRY(io::exists(files, folder))) {
    static_cast<void>(files.remove_directory(trees.kept.member()));  // when a crash left it empty
    TRY(files.remove_directory(folder));
    TRY(files.sync_directory(io::parent_of(folder)));
  }
  if (!trees.kept.wal_is_elsewhere() || !TRY(io::exists(files, trees.kept.wal()))) return {};
  const bool unused = TRY(wal_carries_mark(files, trees.kept, id)) || TRY(files.list(trees.kept.wal())).empty();
  return unused ? remove_marked_wal(files, trees.kept) : Status{};
}

Result<Recovery> take_back_restore(io::FileSystem& files, const SwapTrees& trees, const SwapRecord& record) {
  const bool is_new = TRY(carries_mark(files, trees.live, record.id));
  const bool closed = TRY(gate_is_closed(files, trees.live));
  if (is_new && !closed) return Recovery::kWasComplete;
  if (is_new) {
    if (TRY(wal_carries_mark(files, trees.live, record.id))) TRY(exchange_wals(files, trees));
    TRY(exchange_members(files, trees));
  }
  TRY(remove_unused(files, trees, record.id));
  return Recovery::kTakenBack;
}

Result<Recovery> take_back_undo(io::FileSystem& files, const SwapTrees& trees, const SwapRecord& record) {
  if (!TRY(carries_mark(files, trees.live, record.id))) {
    if (TRY(gate_is_closed(files, trees.kept))) TRY(open_gate(files, trees.kept));
    return Recovery::kWasComplete;
  }
  if (TRY(gate_is_closed(files, trees.live))) {
    if (!TRY(wal_carries_mark(files, trees.live, record.id))) TRY(exchange_wals(files, trees));
    TRY(open_gate(files, trees.live));
  }
  return Recovery::kTakenBack;
}

Result<Recovery> settle(io::FileSystem& files, const std::string& data_dir, const SwapRecord& record) {
  const SwapTrees trees = trees_of(data_dir, record);
  const Recovery what = TRY(record.direction == SwapDirection::kRestore ? take_back_restore(files, trees, record)
                                                                        : take_back_undo(files, trees, record));
  TRY(remove_journal(files, data_dir));
  return what;
}

Status restore_steps(io::FileSystem& files, const SwapTrees& trees, const std::string& built,
                     const std::string& built_wal) {
  // Step 2.
  TRY(move_folder(files, built, trees.kept.data_dir()));
  if (trees.live.wal_is_elsewhere()) TRY(move_folder(files, built_wal, trees.kept.wal()));
  // Step 3.
  TRY(exchange_members(files, trees));
  if (!trees.live.wal_is_elsewhere()) return {};
  // Step 4.
  TRY(exchange_wals(files, trees));
  // Step 5.
  return open_gate(files, trees.live);
}

Status undo_steps(io::FileSystem& files, const SwapTrees& trees) {
  if (trees.live.wal_is_elsewhere()) {
    // Step 2.
    TRY(close_gate(files, trees.live));
    // Step 3.
    TRY(exchange_wals(files, trees));
  }
  // Step 4.
  TRY(exchange_members(files, trees));
  // Step 5.
  if (trees.kept.wal_is_elsewhere()) return open_gate(files, trees.kept);
  return {};
}

// Steps under a journal: a failure is taken back, so that the journal is left only by a crash, or by a disk on which
// that fails too.
Status under_journal(io::FileSystem& files, const std::string& data_dir, const SwapRecord& record,
                     const std::function<Status()>& steps) {
  TRY(write_journal(files, data_dir, record));
  if (const Status done = steps(); !done) {
    const auto settled = settle(files, data_dir, record);
    if (settled) return done;
    return std::unexpected(done.error().with_fix("Run the same command again: the journal " + journal_path(data_dir) +
                                                 " lets it take back what was begun."));
  }
  return remove_journal(files, data_dir);
}

std::unexpected<Error> nothing_to_undo(const std::string& data_dir, std::string why) {
  return fail(ErrorCode::kNothingToUndo, "nothing to undo in " + data_dir, std::move(why));
}

}  // namespace

SwapTrees trees_of(const std::string& data_dir, const SwapRecord& record) {
  const std::string kept_wal = record.wal_dir.empty() ? "" : record.kept_wal_path();
  return {{data_dir, record.wal_dir}, {record.kept_path(data_dir), kept_wal}};
}

std::string journal_path(const std::string& data_dir) { return io::join(data_dir, ".lifeboat-swap.json"); }

Result<SwapRecord> new_swap_record(io::World& world, const MemberLayout& live, bool inside) {
  std::array<std::byte, 8> raw{};
  world.random.fill(raw);
  SwapRecord record;
  record.id = hex(raw);
  record.wal_dir = live.wal_is_elsewhere() ? live.wal() : "";
  record.kept_inside = inside;
  const std::string utc = compact_utc(world.clock.now());
  for (int attempt = 1;; ++attempt) {
    const std::string ending = ".lifeboat-" + utc + (attempt == 1 ? "" : fmt::format("-{}", attempt));
    record.kept = (inside ? "" : io::base_name(live.data_dir())) + ending;
    if (live.wal_is_elsewhere()) record.kept_wal = io::base_name(live.wal()) + ending;
    const SwapTrees trees = trees_of(live.data_dir(), record);
    const bool taken = TRY(io::exists(world.files, trees.kept.data_dir())) ||
                       (live.wal_is_elsewhere() && TRY(io::exists(world.files, trees.kept.wal())));
    if (!taken) return record;
  }
}

Status swap_in(io::FileSystem& files, const std::string& data_dir, const SwapRecord& record, const std::string& built,
               const std::string& built_wal) {
  const SwapTrees trees = trees_of(data_dir, record);
  const MemberLayout built_layout(built, built_wal);
  DatabaseLocks locks;
  TRY(lock_both(files, {trees.live, built_layout}, locks));
  return under_journal(files, data_dir, record, [&] { return restore_steps(files, trees, built, built_wal); });
}

Result<SwapRecord> swap_back(io::FileSystem& files, const std::string& data_dir, const std::string& wal_dir) {
  const std::optional<Bytes> mark = TRY(read_mark(files, MemberLayout(data_dir, "")));
  std::optional<SwapRecord> record = mark ? decode_record(*mark) : std::nullopt;
  if (!record || record->kept.empty()) return nothing_to_undo(data_dir, "its member was not swapped in by Lifeboat");
  if (!record->wal_dir.empty() && !wal_dir.empty()) record->wal_dir = wal_dir;
  record->direction = SwapDirection::kUndo;
  const SwapTrees trees = trees_of(data_dir, *record);
  std::vector<std::string> needed{trees.kept.member()};
  if (trees.kept.wal_is_elsewhere()) needed.push_back(trees.kept.wal());
  for (const std::string& path : needed) {
    if (!TRY(io::exists(files, path))) return nothing_to_undo(data_dir, "what it replaced is gone: no " + path);
  }
  DatabaseLocks locks;
  TRY(lock_both(files, trees, locks));
  TRY(under_journal(files, data_dir, *record, [&] { return undo_steps(files, trees); }));
  return *record;
}

Result<Recovered> recover_swap(io::FileSystem& files, const std::string& data_dir) {
  const std::string path = journal_path(data_dir);
  if (!TRY(io::exists(files, path))) return Recovered{};
  const Bytes bytes = TRY(io::read_whole(files, path, kMaxJournalBytes));
  const std::optional<SwapRecord> record = decode_record(bytes);
  if (!record || record->kept.empty()) {
    return fail(ErrorCode::kUnreadableInput, "the swap journal " + path + " is not readable",
                "it is not one that this version writes",
                "Use the Lifeboat version that began the swap; nothing was changed now.");
  }
  DatabaseLocks locks;
  TRY(lock_both(files, trees_of(data_dir, *record), locks));
  return Recovered{TRY(settle(files, data_dir, *record)), *record};
}

Status require_no_waiting_etcd(io::World& world, const MemberLayout& kept) {
  const std::string database = TRY(find_database(world.files, kept));
  if (database.empty()) return {};
  world.clock.sleep(kLockPollTime);
  DatabaseLocks locks;
  if (locks.take(world.files, database)) return {};
  return fail(ErrorCode::kEtcdRunning, "an etcd was started while its data was being swapped",
              "it now holds the replaced database " + database + " together with the new write-ahead log",
              "Stop that etcd and run the same command again; the replaced data is kept.");
}

}  // namespace lifeboat::operation
