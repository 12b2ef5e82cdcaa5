// Every entry of the error catalogue is provoked here, by the real program on real files and servers wherever it can
// be.
#include <sys/mount.h>
#include <unistd.h>

#include <optional>
#include <random>

#include "base/error.h"
#include "e2e/lifeboat.h"
#include "format/bbolt/checked_sink.h"
#include "format/canonical_json.h"
#include "format/wal/wal.h"
#include "repository/mvcc_model.h"
#include "source/etcd/client.h"
#include "source/fake_etcd.h"
#include "support/certificates.h"
#include "support/clock.h"
#include "support/sanitizer.h"
#include "web/http_server.h"

namespace lifeboat::e2e {
namespace {

using testing_model::MvccModel;

// What a provocation led to: an error of the program, a finding within its answer, or an error of a library.
struct Outcome {
  enum class Kind { kError, kFinding, kLibrary, kSkipped };
  Kind kind = Kind::kError;
  RunResult run;
  std::optional<Error> error;
  std::string why_skipped;
};
Outcome error_of(RunResult run) {
  return {.kind = Outcome::Kind::kError, .run = std::move(run), .error = {}, .why_skipped = {}};
}
Outcome finding_of(RunResult run) {
  return {.kind = Outcome::Kind::kFinding, .run = std::move(run), .error = {}, .why_skipped = {}};
}
Outcome skipped(std::string why) {
  return {.kind = Outcome::Kind::kSkipped, .run = {}, .error = {}, .why_skipped = std::move(why)};
}
template <typename T>
Outcome library(const Result<T>& result) {
  return {.kind = Outcome::Kind::kLibrary,
          .run = {},
          .error = result ? Error(ErrorCode::kInternal, "it was accepted") : result.error(),
          .why_skipped = {}};
}

RunResult program(const Words& words) {
  RunOptions options = surroundings();
  options.environment.push_back("LIFEBOAT_REPO=");
  return run(Words{lifeboat_binary()} + words, options);
}

// A repo and files made from models of a cluster.
class Scene {
 public:
  const Repo repo;

  std::string file(const std::string& name, ByteView content) const {
    write_file(repo.scratch(name), lifeboat::to_string(content));
    return repo.scratch(name);
  }
  std::string file(const std::string& name, const std::string& content) const { return file(name, as_bytes(content)); }
  RunResult import(ByteView content, const Words& more = {}) const {
    return repo.run_with(Words{"import", file("import.db", content)} + more);
  }
  void import_ok(const MvccModel& model, const std::string& cluster = "prod") const {
    const RunResult result = import(model.snapshot_file(), {"--cluster", cluster});
    if (!result.ok()) throw std::runtime_error("import: " + result.err);
  }
  void one_point() const { import_ok(some_keys()); }

  static MvccModel some_keys(int count = 40) {
    MvccModel model;
    for (int i = 0; i < count; ++i) model.put("/k/" + std::to_string(i), "value " + std::to_string(i));
    return model;
  }
  // What does not compress.
  static MvccModel some_noise(std::size_t bytes) {
    std::mt19937 random(5);
    std::string value(bytes, '\0');
    for (char& c : value) c = static_cast<char>(random());
    MvccModel model;
    model.put("/noise", value);
    return model;
  }

  RunResult restore(const std::string& target, const Words& more = {}) const {
    return repo.run_with(Words{"restore", "etcd", "--to", "latest", "--data-dir", target} + more);
  }
  RunResult backup(const std::string& url, const Words& more = {}) const {
    return repo.run_with(Words{"backup", "etcd", "--timeout", "20s", "--endpoints", url} + more);
  }
  // The first object below a folder of the repo, writable.
  std::string object(const std::string& folder) const {
    for (const std::string& name : tree(repo.path() + "/" + folder)) {
      const std::string path = repo.path() + "/" + folder + "/" + name;
      if (!fs::is_regular_file(path)) continue;
      fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
      return path;
    }
    throw std::runtime_error("no object below " + folder);
  }
};

// A small file system, which needs root.
class Disk {
 public:
  Disk(std::string path, const std::string& size) : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~Disk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  bool mounted() const { return mounted_; }
  void make_read_only() const { ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr); }

 private:
  std::string path_;
  bool mounted_ = false;
};
constexpr const char* kNeedsRoot = "mounting a small file system needs root";

RunResult init_at(const Scene& scene, const std::string& path) {
  return program({"init", "--repo", path, "--repo-key-file", scene.repo.key_file()});
}

// Usage and settings.
Outcome unknown_command() { return error_of(program({"frobnicate"})); }
Outcome misspelled_setting() {
  const TempDir home;
  write_file(home / "lifeboat.yaml", "clutser: prod\n");
  return error_of(program({"config", "view", "--config", home / "lifeboat.yaml"}));
}
Outcome duration_without_a_unit() { return error_of(program({"config", "view", "--timeout", "soon"})); }
Outcome no_repo_named() { return error_of(program({"ls"})); }
Outcome no_key_named() {
  const Scene scene;
  return error_of(program({"ls", "--repo", scene.repo.path()}));
}
Outcome directory_as_a_snapshot() {
  const Scene scene;
  return error_of(scene.repo.run_with({"import", scene.repo.spool()}));
}
Outcome address_that_is_taken() {
  const auto server = [](const std::string& address) {
    return web::HttpServer::start(address, [](std::string_view) { return web::HttpAnswer{}; });
  };
  const auto first = server("127.0.0.1:0");
  return library(server("127.0.0.1:" + std::to_string(first.value()->port())));
}

// etcd.
Outcome nobody_listens() { return error_of(Scene().backup("http://127.0.0.1:1")); }
Outcome plain_server_by_https() {
  EtcdCluster cluster;
  cluster.start();
  return error_of(Scene().backup("https://" + cluster.member().endpoint()));
}
Outcome wrong_password() {
  EtcdCluster cluster;
  cluster.start();
  cluster.enable_auth();
  const Scene scene;
  const std::string password = scene.file("password", std::string("not-the-password\n"));
  return error_of(scene.backup(cluster.endpoints(), {"--user", "root", "--password-file", password}));
}
Outcome user_without_the_root_role() {
  EtcdCluster cluster;
  cluster.start();
  cluster.etcdctl_ok({"user", "add", "reader:secret"});
  cluster.enable_auth();
  const Scene scene;
  const std::string password = scene.file("password", std::string("secret\n"));
  return error_of(scene.backup(cluster.endpoints(), {"--user", "reader", "--password-file", password}));
}
Outcome member_that_answers_with_an_error() {
  const lifeboat::testing::FakeEtcd member([](grpc::ServerContext&, lifeboat::testing::SnapshotWriter&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "etcdserver: no leader");
  });
  return error_of(Scene().backup(member.endpoint()));
}
Outcome stream_that_breaks_off() {
  const lifeboat::testing::FakeEtcd member([](grpc::ServerContext&, lifeboat::testing::SnapshotWriter& writer) {
    const std::string database = lifeboat::to_string(Scene::some_noise(400'000).database_file());
    lifeboat::testing::send_data(writer, database, 4 * lifeboat::testing::kBlobBytes);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "transport is closing");
  });
  return error_of(Scene().backup(member.endpoint()));
}
Outcome frozen_member() {
  EtcdCluster cluster;
  cluster.start();
  source::ClientOptions options;
  options.endpoints = {cluster.endpoints()};
  options.call_timeout = std::chrono::seconds(4);
  const auto client = source::Client::make(std::move(options), real_clock()).value();
  if (!client->status(cluster.endpoints())) return skipped("the member does not answer before it is frozen");
  cluster.member().pause();
  const auto answer = client->status(cluster.endpoints());
  cluster.member().resume();
  return library(answer);
}
Outcome expired_certificate() {
  const TempDir home;
  Certificates certificates(home.path().string());
  const KeyPair expired = certificates.expired_client();
  return error_of(Scene().backup("https://127.0.0.1:1",
                                 {"--cacert", certificates.ca(), "--cert", expired.certificate, "--key", expired.key}));
}
// One member of three has another byte in a value than the others, as after a fault of its disk.
Outcome member_with_another_value() {
  EtcdCluster cluster({.members = 3});
  cluster.start();
  const std::string value = "the value that a disk will change";
  cluster.etcdctl_ok({"put", "/k", value});
  cluster.member(2).stop();
  std::string database = read_file(cluster.member(2).database());
  for (auto at = database.find(value); at != std::string::npos; at = database.find(value, at + 1)) database[at] = 'T';
  write_file(cluster.member(2).database(), database);
  cluster.member(2).start();
  const Scene scene;
  return finding_of(scene.repo.run_with(Words{"backup", "etcd", "-o", "json"} + scene.repo.reach(cluster)));
}

// Storage.
// Its first page is never mapped.
Outcome file_that_does_not_read() {
  const Scene scene;
  return error_of(scene.repo.run_with({"import", "/proc/self/mem"}));
}
Outcome full_standard_output() {
  return error_of(run({"/bin/sh", "-c", "exec \"$0\" version >/dev/full", lifeboat_binary()}, surroundings()));
}
Outcome full_disk() {
  const Scene scene;
  const Disk disk(scene.repo.scratch("disk"), "300k");
  if (!disk.mounted()) return skipped(kNeedsRoot);
  const std::string repo = scene.repo.scratch("disk") + "/repo";
  EXPECT_EQ(init_at(scene, repo).exit, 0);
  const std::string snapshot = scene.file("noise.db", Scene::some_noise(900'000).snapshot_file());
  return error_of(program({"import", snapshot, "--repo", repo, "--repo-key-file", scene.repo.key_file(), "--spool-dir",
                           scene.repo.spool()}));
}
Outcome read_only_disk() {
  const Scene scene;
  const Disk disk(scene.repo.scratch("disk"), "300k");
  if (!disk.mounted()) return skipped(kNeedsRoot);
  disk.make_read_only();
  return error_of(init_at(scene, scene.repo.scratch("disk") + "/repo"));
}
Outcome folder_without_permission() {
  const Scene scene;
  fs::permissions(scene.repo.path(), fs::perms::none);
  Words argv = scene.repo.argv({"ls"});
  // Root passes over modes by a capability, which it can go without.
  if (::geteuid() == 0) argv = Words{"setpriv", "--bounding-set=-all", "--inh-caps=-all"} + argv;
  const RunResult result = run(argv, surroundings());
  fs::permissions(scene.repo.path(), fs::perms::owner_all);
  return error_of(result);
}
Outcome absent_file() {
  const Scene scene;
  return error_of(scene.repo.run_with({"import", scene.repo.scratch("absent.db")}));
}

// The repo.
Outcome folder_without_a_repo() {
  const Scene scene;
  return error_of(program({"ls", "--repo", scene.repo.spool(), "--repo-key-file", scene.repo.key_file()}));
}
Outcome init_of_a_repo() { return error_of(Scene().repo.run_with({"init"})); }
Outcome repo_of_a_newer_version() {
  const Scene scene;
  fs::copy_file(scene.repo.path() + "/format.1", scene.repo.path() + "/format.2");
  return error_of(scene.repo.run_with({"ls"}));
}
Outcome repo_with_a_mandatory_feature() {
  const Scene scene;
  const std::string path = scene.repo.path() + "/format.1";
  Json format = Json::parse(read_file(path));
  format.erase("checksum");
  format.at("features").at("read").push_back("!time-travel");
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  write_file(path, lifeboat::to_string(json::with_checksum(format)));
  return error_of(scene.repo.run_with({"ls"}));
}
Outcome key_of_another_repo() {
  const Scene scene, other;
  return error_of(program({"ls", "--repo", scene.repo.path(), "--repo-key-file", other.repo.key_file()}));
}
Outcome absent_point() {
  const Scene scene;
  scene.one_point();
  return error_of(scene.repo.run_with({"show", "0123456789ab"}));
}
Outcome revision_of_two_clusters() {
  const Scene scene;
  scene.import_ok(Scene::some_keys());
  MvccModel other;
  other.member_id = 0x77;
  for (int i = 0; i < 20; ++i) other.put("/other/" + std::to_string(i), "v");
  scene.import_ok(other, "other");
  return error_of(scene.repo.run_with({"show", "rev:10"}));
}
Outcome revision_that_was_compacted_away() {
  const Scene scene;
  MvccModel model;
  model.put("/a", "1");
  model.put("/a", "2");
  scene.import_ok(model);
  for (int i = 0; i < 5; ++i) model.put("/b", std::to_string(i));
  model.compact(8);
  model.put("/c", "1");
  scene.import_ok(model);
  return error_of(scene.repo.run_with({"show", "rev:5"}));
}
Outcome removed_segment() {
  const Scene scene;
  scene.one_point();
  fs::remove(scene.object("s"));
  return error_of(scene.restore(scene.repo.scratch("target")));
}
Outcome absent_key() {
  const Scene scene;
  scene.one_point();
  return error_of(scene.repo.run_with({"show", "latest", "/no/such/key"}));
}

// Integrity.
Outcome changed_byte_in_a_segment() {
  const Scene scene;
  scene.one_point();
  const std::string path = scene.object("s");
  std::string bytes = read_file(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  write_file(path, bytes);
  return error_of(scene.restore(scene.repo.scratch("target")));
}
Outcome file_that_is_no_database() { return error_of(Scene().import(as_bytes(std::string(131'072, 'x')))); }
Outcome half_a_snapshot() {
  const Bytes file = Scene::some_keys().snapshot_file();
  return error_of(Scene().import(ByteView(file).first(file.size() - 7)));
}
Outcome edited_snapshot() {
  Bytes file = Scene::some_keys().snapshot_file();
  file[file.size() / 2] ^= std::byte{1};
  return error_of(Scene().import(file));
}
Outcome database_with_damaged_pages() {
  constexpr std::size_t kPageBytes = 4096, kFlagsAt = 8;
  Bytes file = Scene::some_keys().database_file(kPageBytes);
  for (std::size_t page = 2; page < file.size() / kPageBytes; ++page)
    file[page * kPageBytes + kFlagsAt] = std::byte{0xff};
  return error_of(Scene().import(file));
}
Outcome database_of_another_program() {
  return error_of(Scene().import(bbolt::write_database({{"key", {{"not a revision", "b"}}}, {"meta", {}}}).value()));
}
// A version that does not follow from the one before.
Outcome history_that_breaks_a_rule() {
  MvccModel model = Scene::some_keys();
  model.put("/k/3", "again");
  testing_model::ModelRecord& last = std::prev(model.database.end())->second;
  auto kv = *etcd::parse_key_value(last.value);
  kv.version += 3;
  last.value = etcd::encode_key_value(kv);
  const Scene scene;
  scene.import_ok(model);
  return finding_of(scene.repo.run_with({"verify", "latest", "--level", "3", "-o", "json"}));
}

// A program that answers as etcd does, but for where its data is.
std::string etcd_on_other_data(const Scene& scene) {
  const std::string etcd = server_program("3.6", "etcd");
  const std::string program = scene.file(
      "other-etcd", "#!/bin/sh\nexec " + etcd + " \"$@\" --data-dir " + scene.repo.scratch("other-data") + "\n");
  fs::permissions(program, fs::perms::owner_all);
  return program;
}
Outcome etcd_that_serves_other_data() {
  const Scene scene;
  scene.one_point();
  return finding_of(
      scene.repo.run_with({"verify", "latest", "--level", "4", "--etcd", etcd_on_other_data(scene), "-o", "json"}));
}
// What a faulty disk would give back cannot be had from a sound one: the check itself is given such pages.
Outcome page_that_does_not_read_back() {
  constexpr std::size_t kPageBytes = 1024;
  const Bytes sound = Scene::some_keys(200).database_file(kPageBytes);
  bbolt::MemorySink out;
  bbolt::CheckedSink sink(out, kPageBytes);
  Status status = sink.append(Bytes(2 * kPageBytes));
  Bytes rest = to_bytes(ByteView(sound).subspan(2 * kPageBytes));
  for (std::size_t at = 0; at < rest.size(); at += kPageBytes) rest[at + 8] ^= std::byte{0x40};
  if (status) status = sink.append(rest);
  if (status) status = sink.write_front(ByteView(sound).first(2 * kPageBytes));
  return library(status);
}
// The program reads only the WAL that it has just written.
Outcome wal_that_is_noise() { return library(wal::read_wal(to_bytes(std::string(4096, 'w')))); }

// Restore.
Outcome target_with_files() {
  const Scene scene;
  scene.one_point();
  return error_of(scene.restore(fs::path(scene.repo.key_file()).parent_path().string()));
}
Outcome running_etcd() {
  EtcdCluster cluster;
  cluster.start();
  const Scene scene;
  scene.one_point();
  return error_of(scene.restore(cluster.member().data_dir(), {"--in-place", "--confirm", "prod"}));
}
Outcome target_on_a_small_disk() {
  const Scene scene;
  scene.import_ok(Scene::some_noise(2'000'000));
  const Disk disk(scene.repo.scratch("disk"), "300k");
  if (!disk.mounted()) return skipped(kNeedsRoot);
  return error_of(scene.restore(scene.repo.scratch("disk") + "/data"));
}
Outcome name_outside_the_cluster() {
  const Scene scene;
  scene.one_point();
  return error_of(
      scene.restore(scene.repo.scratch("target"), {"--name", "m1", "--initial-cluster", "m2=http://127.0.0.1:1"}));
}
// A stopped member's data, made by a restore.
std::string stopped_member(const Scene& scene) {
  scene.one_point();
  const std::string data = scene.repo.scratch("member");
  EXPECT_EQ(scene.restore(data).exit, 0);
  return data;
}
Outcome swap_without_confirmation() {
  const Scene scene;
  return error_of(scene.restore(stopped_member(scene), {"--in-place"}));
}
Outcome plan_of_another_cluster() {
  const Scene scene;
  scene.one_point();
  const auto host = [&](const std::string& data, const std::string& peer) {
    return scene.restore(scene.repo.scratch(data), {"--name", "m1", "--initial-cluster", "m1=http://127.0.0.1:" + peer,
                                                    "--initial-advertise-peer-urls", "http://127.0.0.1:" + peer,
                                                    "--plan", scene.repo.scratch("plan.json")});
  };
  EXPECT_EQ(host("first", "1").exit, 0);
  return error_of(host("second", "2"));
}
Outcome swap_with_the_log_of_another_member() {
  const Scene scene;
  const std::string data = stopped_member(scene);
  const std::string other = scene.repo.scratch("other"), wal = scene.repo.scratch("wal");
  EXPECT_EQ(scene.restore(other, {"--wal-dir", wal}).exit, 0);
  return error_of(scene.restore(data, {"--in-place", "--wal-dir", wal, "--dry-run"}));
}
Outcome undo_without_a_swap() {
  const Scene scene;
  const std::string data = stopped_member(scene);
  return error_of(scene.repo.run_with({"restore", "etcd", "--undo", "--data-dir", data}));
}
Outcome etcd_that_does_not_boot() {
  const Scene scene;
  scene.one_point();
  return finding_of(scene.repo.run_with({"verify", "latest", "--level", "4", "--etcd", "/bin/false", "-o", "json"}));
}
Outcome no_etcd_on_the_path() {
  const Scene scene;
  scene.one_point();
  RunOptions bare = surroundings();
  bare.environment.push_back("PATH=/nonexistent");
  return error_of(run(scene.repo.argv({"verify", "latest", "--level", "4"}), bare));
}

// Its own faults: no memory for a thread is one that nobody handles.
Outcome no_memory_for_a_thread() {
  if (lifeboat::testing::kSanitized) return skipped("a sanitizer needs more address space than this test leaves");
  const Scene scene;
  RunResult result;
  for (int limit_kib = 24'000; limit_kib < 60'000 && result.exit != static_cast<int>(ExitCode::kBug);
       limit_kib += 1'000) {
    result =
        run(Words{"prlimit", "--as=" + std::to_string(limit_kib * 1024)} + scene.repo.argv({"ls"}), surroundings());
  }
  return error_of(result);
}
Outcome ctrl_c() {
  const lifeboat::testing::FakeEtcd member([](grpc::ServerContext& context, lifeboat::testing::SnapshotWriter&) {
    while (!context.IsCancelled()) sleep_ms(5);
    return grpc::Status::CANCELLED;
  });
  const Scene scene;
  const std::string log = scene.repo.scratch("log");
  RunResult result;
  result.exit = run_and_interrupt(scene.repo.argv({"backup", "etcd", "--endpoints", member.endpoint()}), 0, log);
  result.err = read_file(log);
  return error_of(result);
}

struct Provocation {
  ErrorCode code;
  Outcome (*provoke)();
};
void PrintTo(const Provocation& one, std::ostream* out) { *out << code_text(one.code); }

constexpr Provocation kProvocations[] = {
    {ErrorCode::kUsage, unknown_command},
    {ErrorCode::kUnknownSetting, misspelled_setting},
    {ErrorCode::kBadSetting, duration_without_a_unit},
    {ErrorCode::kNoRepoGiven, no_repo_named},
    {ErrorCode::kNoKeyGiven, no_key_named},
    {ErrorCode::kUnreadableInput, directory_as_a_snapshot},
    {ErrorCode::kAddressUnusable, address_that_is_taken},
    {ErrorCode::kEndpointUnreachable, nobody_listens},
    {ErrorCode::kTlsRefused, plain_server_by_https},
    {ErrorCode::kCredentialsRefused, wrong_password},
    {ErrorCode::kPermissionDenied, user_without_the_root_role},
    {ErrorCode::kEtcdFailed, member_that_answers_with_an_error},
    {ErrorCode::kSnapshotStreamBroken, stream_that_breaks_off},
    {ErrorCode::kTimeout, frozen_member},
    {ErrorCode::kClientCertificateUnusable, expired_certificate},
    {ErrorCode::kMembersDisagree, member_with_another_value},
    {ErrorCode::kStorageFailed, file_that_does_not_read},
    {ErrorCode::kStorageFull, full_disk},
    {ErrorCode::kStorageReadOnly, read_only_disk},
    {ErrorCode::kStoragePermission, folder_without_permission},
    {ErrorCode::kFileNotFound, absent_file},
    {ErrorCode::kAnswerNotWritten, full_standard_output},
    {ErrorCode::kRepoNotFound, folder_without_a_repo},
    {ErrorCode::kRepoExists, init_of_a_repo},
    {ErrorCode::kRepoVersionUnknown, repo_of_a_newer_version},
    {ErrorCode::kRepoFeatureUnknown, repo_with_a_mandatory_feature},
    {ErrorCode::kWrongKey, key_of_another_repo},
    {ErrorCode::kPointNotFound, absent_point},
    {ErrorCode::kPointAmbiguous, revision_of_two_clusters},
    {ErrorCode::kRevisionInGap, revision_that_was_compacted_away},
    {ErrorCode::kObjectMissing, removed_segment},
    {ErrorCode::kKeyNotFound, absent_key},
    {ErrorCode::kObjectDamaged, changed_byte_in_a_segment},
    {ErrorCode::kNotADatabase, file_that_is_no_database},
    {ErrorCode::kSnapshotTruncated, half_a_snapshot},
    {ErrorCode::kSnapshotChecksum, edited_snapshot},
    {ErrorCode::kDatabaseDamaged, database_with_damaged_pages},
    {ErrorCode::kUnsupportedContent, database_of_another_program},
    {ErrorCode::kLogRuleBroken, history_that_breaks_a_rule},
    {ErrorCode::kProofMismatch, etcd_that_serves_other_data},
    {ErrorCode::kVerifyBeforePublish, page_that_does_not_read_back},
    {ErrorCode::kWalDamaged, wal_that_is_noise},
    {ErrorCode::kTargetNotEmpty, target_with_files},
    {ErrorCode::kEtcdRunning, running_etcd},
    {ErrorCode::kNotEnoughSpace, target_on_a_small_disk},
    {ErrorCode::kBadCluster, name_outside_the_cluster},
    {ErrorCode::kConfirmationNeeded, swap_without_confirmation},
    {ErrorCode::kPlanMismatch, plan_of_another_cluster},
    {ErrorCode::kNothingToUndo, undo_without_a_swap},
    {ErrorCode::kSandboxFailed, etcd_that_does_not_boot},
    {ErrorCode::kEtcdBinaryMissing, no_etcd_on_the_path},
    {ErrorCode::kForeignWal, swap_with_the_log_of_another_member},
    {ErrorCode::kInternal, no_memory_for_a_thread},
    {ErrorCode::kInterrupted, ctrl_c},
};

TEST(ErrorCatalogue, HasAProvocationForEachEntryAndForNothingElse) {
  std::vector<std::string> entries, provoked;
  for (const ErrorEntry& entry : error_catalogue()) entries.push_back(code_text(entry.code));
  for (const Provocation& one : kProvocations) provoked.push_back(code_text(one.code));
  EXPECT_EQ(provoked, entries);
}

class Provoked : public ::testing::TestWithParam<Provocation> {};

TEST_P(Provoked, EndsWithItsCodeAndExit) {
  const ErrorCode code = GetParam().code;
  const int exit = static_cast<int>(entry_of(code).exit);
  const Outcome outcome = GetParam().provoke();
  switch (outcome.kind) {
    case Outcome::Kind::kError:
      expect_error({.exit = outcome.run.exit, .out = "", .err = outcome.run.err}, exit, code_text(code));
      break;
    case Outcome::Kind::kFinding:
      EXPECT_EQ(outcome.run.exit, exit) << outcome.run.err << outcome.run.out;
      EXPECT_THAT(outcome.run.out, ::testing::HasSubstr('"' + code_text(code) + '"')) << outcome.run.err;
      break;
    case Outcome::Kind::kLibrary:
      EXPECT_EQ(code_text(outcome.error->code()), code_text(code)) << outcome.error->to_string();
      break;
    case Outcome::Kind::kSkipped:
      GTEST_SKIP() << outcome.why_skipped;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Provoked, ::testing::ValuesIn(kProvocations),
                         [](const auto& chosen) { return "E" + code_text(chosen.param.code).substr(4); });

}  // namespace
}  // namespace lifeboat::e2e
