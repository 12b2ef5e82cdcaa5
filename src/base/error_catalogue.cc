// The catalogue of errors as data: one row for every ErrorCode, in the order of the numbers.
#include <algorithm>
#include <cassert>
#include <charconv>

#include "base/error_code.h"

namespace lifeboat {
namespace {

constexpr ErrorEntry kUsageErrors[] = {
    {ErrorCode::kUsage, ExitCode::kUsage, "command line not understood",
     "A command, argument or flag is unknown, missing, or contradicts another one. Nothing was "
     "read from the cluster and nothing was written.",
     "Run the command with --help: it starts with examples."},
    {ErrorCode::kUnknownSetting, ExitCode::kUsage, "unknown setting",
     "The configuration file sets something that Lifeboat does not know. Unknown settings are "
     "refused, because a misspelled one would otherwise be ignored without a word. A variable of "
     "the environment that looks like a misspelled one is only warned of.",
     "Correct the name; `lifeboat config view --origin` lists every setting and where it came "
     "from."},
    {ErrorCode::kBadSetting, ExitCode::kUsage, "setting with an unusable value",
     "A setting is known but its value cannot be used: a duration without a unit, a number out of "
     "range, an address that does not parse. The message says which value was found and where it "
     "was set.",
     "Correct the value; `lifeboat config view --origin` shows where it was set."},
    {ErrorCode::kNoRepoGiven, ExitCode::kUsage, "no repo given",
     "The command needs a repo and none was named by flag, environment or configuration file. "
     "Lifeboat has no default place for backups, so that none ends where nobody looks for it.",
     "Pass --repo file:///path/to/repo, or set LIFEBOAT_REPO."},
    {ErrorCode::kNoKeyGiven, ExitCode::kUsage, "no key for the repo given",
     "The repo is encrypted, and neither a passphrase file nor a key file was named. Secrets are "
     "never taken from the command line itself, where other users of the machine could read them.",
     "Pass --repo-key-file FILE or --passphrase-file FILE, or set LIFEBOAT_REPO_KEY_FILE or "
     "LIFEBOAT_PASSPHRASE_FILE."},
    {ErrorCode::kUnreadableInput, ExitCode::kUsage, "input file or path not usable",
     "A file named on the command line (a snapshot, a plan, a passphrase or key file) could not "
     "be read or does not have the form it must have, or a path leads nowhere: its symbolic links "
     "go round, a name is too long, or it names a folder or a pipe where a file belongs. Nothing "
     "was published.",
     "Check the path, its owner and mode, and that it is the file you meant."},
    {ErrorCode::kAddressUnusable, ExitCode::kUsage, "address cannot be listened on",
     "The agent answers questions about its health on an address of its own, and the system "
     "refused it: another program, perhaps another agent, listens there, or the address is not "
     "one of this host. Capture was not begun, so that an agent which nobody can watch does not "
     "go unnoticed.",
     "See who has it (`ss -ltnp`), or pass another address with --agent-listen, or `off`."},
};

constexpr ErrorEntry kEtcdErrors[] = {
    {ErrorCode::kEndpointUnreachable, ExitCode::kUnreachable, "etcd endpoint not reachable",
     "No connection to any of the given etcd endpoints could be made: the process is down, the "
     "address or port is wrong, or a firewall stands between. Every endpoint was tried before "
     "giving up.",
     "Check that etcd runs and listens there (`ss -ltnp | grep 2379`), then correct --endpoints."},
    {ErrorCode::kTlsRefused, ExitCode::kCredentials, "TLS handshake with etcd failed",
     "A connection was made but the two sides did not agree on TLS. The server's certificate is "
     "not signed by the given CA or not valid for this host name, the server wants a client "
     "certificate, or one side speaks plain text.",
     "Check --cacert, --cert and --key (kubeadm: /etc/kubernetes/pki/etcd), and whether the "
     "endpoint is https://."},
    {ErrorCode::kCredentialsRefused, ExitCode::kCredentials, "etcd refused the user name or password",
     "Password authentication is enabled in etcd and the given user name and password were not "
     "accepted. The password may have been changed, or the file may hold another one.",
     "Check --user and --password-file; `etcdctl --user NAME endpoint status` asks etcd the same "
     "question."},
    {ErrorCode::kPermissionDenied, ExitCode::kCredentials, "etcd user lacks a permission",
     "etcd knows the user but does not let it do what the command needs. A snapshot, the hash and "
     "the list of users need the root role as soon as authentication is enabled.",
     "Use a user with the root role: `etcdctl user grant-role NAME root`."},
    {ErrorCode::kEtcdFailed, ExitCode::kUnreachable, "etcd answered with an error",
     "A member was reached and authenticated but answered with an error of its own, given in the "
     "message. Typical causes are a member without a leader, one that is just starting, or one "
     "whose disk is full.",
     "Look at `etcdctl endpoint status --cluster -w table` and at the log of that member."},
    {ErrorCode::kSnapshotStreamBroken, ExitCode::kUnreachable, "snapshot stream broke off",
     "The stream of a snapshot ended before the whole database had arrived, on every endpoint "
     "that was tried. Nothing of it was kept. Members that restart, a proxy with a time limit, or "
     "a busy disk cause this.",
     "Run the backup again; if it repeats, name another member in --endpoints or raise --timeout."},
    {ErrorCode::kTimeout, ExitCode::kUnreachable, "no answer in time",
     "etcd accepted the call but did not answer before its deadline. The member may be "
     "overloaded, without a leader, or cut off from the others.",
     "Look at `etcdctl endpoint health --cluster`, or raise --timeout."},
    {ErrorCode::kClientCertificateUnusable, ExitCode::kCredentials, "client certificate not usable",
     "The client certificate, its key, or the CA file could not be used: missing, not PEM, "
     "expired, not yet valid, certificate and key do not belong together, or the key is encrypted. It was found before "
     "any connection was made, or when etcd said so.",
     "`openssl x509 -noout -dates -in FILE` shows the dates; kubeadm renews with `kubeadm certs "
     "renew all`."},
    {ErrorCode::kMembersDisagree, ExitCode::kIntegrity, "members of the cluster hold different data",
     "Two members gave different hashes for the same revision, so at least one of them is "
     "corrupt. A backup tells which member it was taken from; it cannot tell which of them is "
     "right.",
     "Do not restart or compact anything yet. Back up from each member alone (`lifeboat backup etcd "
     "--full --endpoints URL`), compare the points with `lifeboat diff`, then replace the bad member."},
};

constexpr ErrorEntry kStorageErrors[] = {
    {ErrorCode::kStorageFailed, ExitCode::kStorage, "storage failed",
     "The operating system refused or failed to read or write, with the reason in the message. "
     "What was being written was not published: nothing that looks finished was left behind.",
     "Look at `dmesg` and the state of the disk or mount, then run the command again."},
    {ErrorCode::kStorageFull, ExitCode::kStorage, "no space left",
     "The disk or the quota is full. What was being written was dropped again, so the repo and "
     "every earlier point are intact.",
     "Free some space (`df -h` shows where) and run the command again."},
    {ErrorCode::kStorageReadOnly, ExitCode::kStorage, "storage is read-only",
     "The file system is mounted read-only. Linux also does that by itself after an IO error, so "
     "the disk may be failing.",
     "Look at `findmnt` and `dmesg`; remount it writable once the disk is known to be sound."},
    {ErrorCode::kStoragePermission, ExitCode::kStorage, "no permission on the file system",
     "The user that runs Lifeboat may not read or write a path it needs. Repos are created for "
     "their owner alone (mode 0700), so another user cannot use them.",
     "Run as the owner of the path (`ls -ld PATH`), or with sudo."},
    {ErrorCode::kFileNotFound, ExitCode::kNotFound, "file or directory not found",
     "A path that the command needs does not exist. It may be misspelled, not mounted yet, or "
     "gone since the command started.",
     "Check the path and that its file system is mounted (`findmnt`)."},
    {ErrorCode::kAnswerNotWritten, ExitCode::kStorage, "answer could not be written",
     "The command did its work to the end, and then standard output, a file on a full disk for example, did not take "
     "the answer. Only the answer is lost: a backup is in the repo, and a restored directory is in its place.",
     "Do not repeat a restore: look at what is there (`lifeboat ls`, `lifeboat status`), and run commands that only "
     "read again with another output."},
};

constexpr ErrorEntry kRepoErrors[] = {
    {ErrorCode::kRepoNotFound, ExitCode::kNotFound, "no repo there",
     "The place that was named holds no Lifeboat repo: there is no format object in it. Commands "
     "other than `init` never create one, because a typing mistake would then look like a repo "
     "without backups.",
     "Check the URL and that its disk is mounted, or create a repo with `lifeboat init --repo "
     "URL`."},
    {ErrorCode::kRepoExists, ExitCode::kRefused, "a repo or other files are already there",
     "`init` found a repo, or files that are not one, in the place it was to create a repo in. It "
     "changes nothing that exists, so the old repo is as it was.",
     "Use the existing repo as it is, or choose an empty directory."},
    {ErrorCode::kRepoVersionUnknown, ExitCode::kRefused, "repo of a newer format version",
     "The repo, or an object in it, was written by a newer Lifeboat in a format this one does not "
     "know. It is refused rather than guessed at; nothing was changed.",
     "Use the Lifeboat version that the message names, or a newer one."},
    {ErrorCode::kRepoFeatureUnknown, ExitCode::kRefused, "repo uses a feature this version does not know",
     "The repo marks a feature as mandatory that this Lifeboat does not have. Working on without "
     "it could read wrong data or damage the repo, so it is refused; nothing was changed.",
     "Use the Lifeboat version that the message names, or a newer one."},
    {ErrorCode::kWrongKey, ExitCode::kWrongKey, "wrong key for the repo",
     "The passphrase or key file opens none of the key sets of this repo. A passphrase file with "
     "another trailing space or from another repo is the usual cause. The data itself is not "
     "touched by this.",
     "Use the key of this repo; the message names the kinds of key that open it."},
    {ErrorCode::kPointNotFound, ExitCode::kNotFound, "no such point",
     "The repo has no point that fits what was asked: no point with that id, none at or before "
     "that time, or no point at all for that cluster. The repo itself was found and opened.",
     "`lifeboat ls` lists the points there are."},
    {ErrorCode::kPointAmbiguous, ExitCode::kRefused, "more than one point fits",
     "What was given names several points, or points of several clusters. Lifeboat does not guess "
     "which one was meant, because a restore of the wrong one would be worse than none.",
     "Give more characters of the id, or name the cluster with --cluster; `lifeboat ls` lists the "
     "points."},
    {ErrorCode::kRevisionInGap, ExitCode::kRefused, "revision is not recoverable",
     "The revision lies where the repo has no complete record: between two backups, or before the "
     "first one. A state put together there could miss changes, so it is refused; the message "
     "names the nearest points.",
     "Restore one of the points that the message names."},
    {ErrorCode::kObjectMissing, ExitCode::kIntegrity, "object missing from the repo",
     "A point or the repo itself names an object that the store does not have. It was deleted "
     "outside Lifeboat, or a copy of the repo is incomplete. Points that do not need the object "
     "are not affected.",
     "`lifeboat verify --all` lists the points that are whole; copy the object back from a "
     "replica if there is one."},
    {ErrorCode::kKeyNotFound, ExitCode::kNotFound, "no such key at that point",
     "The point exists and was read, but it holds no key of that name at that revision. The key "
     "may have been deleted before, or is spelled differently.",
     "`lifeboat ls POINT PREFIX` lists the keys; quote the name, and escape bytes as \\xNN."},
};

constexpr ErrorEntry kIntegrityErrors[] = {
    {ErrorCode::kObjectDamaged, ExitCode::kIntegrity, "object in the repo is damaged",
     "An object does not have the bytes it was written with: its name, its checksum or its seal "
     "does not fit. It was changed outside Lifeboat or the disk returned wrong data. It was not "
     "used for anything.",
     "`lifeboat verify --all` lists the points that are whole; check the disk (`dmesg`, "
     "`smartctl`)."},
    {ErrorCode::kNotADatabase, ExitCode::kIntegrity, "not an etcd database",
     "The file is neither an etcd snapshot nor a bbolt database: its first pages do not have the "
     "magic number, version and checksum of one. An archive or an encrypted file must be unpacked "
     "first.",
     "Check with `file PATH`; give the snapshot itself, plain, .gz or .zst, or a "
     "`member/snap/db`."},
    {ErrorCode::kSnapshotTruncated, ExitCode::kIntegrity, "snapshot is cut short",
     "The snapshot is shorter than its own pages say. The copy or the download broke off, or it "
     "was taken while the disk was full. Nothing of it was stored.",
     "Copy it again from its source and compare sizes, or take a new backup."},
    {ErrorCode::kSnapshotChecksum, ExitCode::kIntegrity, "snapshot does not match its checksum",
     "etcd puts a SHA-256 behind each snapshot, and the bytes read do not have it: the file was "
     "edited or damaged on its way. Tools that open a snapshot for writing, such as `etcdutl "
     "hashkv`, also cause this. A .gz or .zst has a checksum of its own, and does not unpack, or "
     "has more behind its end.",
     "Use another copy; if there is none, import the bare database `member/snap/db` of a member."},
    {ErrorCode::kDatabaseDamaged, ExitCode::kIntegrity, "database is damaged inside",
     "The pages of the database contradict each other or point outside the file. Lifeboat stores "
     "no state that it could not read completely, so nothing was stored.",
     "Take the backup from another member; then replace this member, because its disk holds bad "
     "data."},
    {ErrorCode::kUnsupportedContent, ExitCode::kRefused, "database holds something this version cannot keep",
     "The database has a bucket, field or encoding that this Lifeboat does not know, and a "
     "restore could not bring it back. It is refused rather than lost without a word.",
     "Use a newer Lifeboat; keep the snapshot file itself until then."},
    {ErrorCode::kLogRuleBroken, ExitCode::kIntegrity, "history contradicts itself",
     "Records break a rule that every etcd history keeps: revisions without a hole, versions that "
     "count up, one create revision for each life of a key. Or they give another number of live keys "
     "than were counted when the point was made. Either the source is damaged or the records come "
     "from two histories.",
     "Take a new backup from another member and compare with `lifeboat diff`; report it if it "
     "repeats."},
    {ErrorCode::kProofMismatch, ExitCode::kIntegrity, "hash differs from the cluster's own",
     "The hash that etcd gave for this revision is not the one computed from the stored records. "
     "The backup and the member do not hold the same data, and one of them is wrong.",
     "Back up again from another member; if that one agrees, the first member is corrupt."},
    {ErrorCode::kVerifyBeforePublish, ExitCode::kIntegrity, "what was written did not read back equal",
     "Before anything is published it is decrypted, decompressed and compared, and that "
     "comparison failed. Memory, the disk or a library returned wrong bytes. Nothing was "
     "published; earlier points are intact.",
     "Run it again; if it repeats, test the memory and disk of this machine and use another one "
     "meanwhile."},
    {ErrorCode::kWalDamaged, ExitCode::kIntegrity, "write-ahead log is damaged",
     "A WAL file of etcd has a record with a wrong checksum, a wrong length, or is missing from "
     "the sequence. The data directory was only read.",
     "Restore the member from a point, or import its `member/snap/db` alone."},
};

constexpr ErrorEntry kRestoreErrors[] = {
    {ErrorCode::kTargetNotEmpty, ExitCode::kRefused, "target is not empty",
     "The directory to restore into already holds something. A restore never overwrites: it was "
     "refused before anything was written.",
     "Choose a directory that does not exist, or use --in-place to swap the data of a stopped "
     "member."},
    {ErrorCode::kEtcdRunning, ExitCode::kRefused, "etcd still runs on the target",
     "The database in the target, or the one to import, is locked by a running etcd, or its WAL is. "
     "Swapping the files under a running member would destroy both states, and a database that is read "
     "while it is written can mix two, so nothing was touched.",
     "Stop etcd first (kubeadm: move etcd.yaml out of /etc/kubernetes/manifests), then run the "
     "command again."},
    {ErrorCode::kNotEnoughSpace, ExitCode::kStorage, "not enough space for the result",
     "The result would not fit on the target's file system; the message says how much is needed "
     "and how much is free. This was checked before anything was written.",
     "Free some space or choose another target; `df -h` shows where there is room."},
    {ErrorCode::kBadCluster, ExitCode::kUsage, "cluster description does not fit together",
     "The names and peer URLs given for the new cluster contradict each other: a member is not in "
     "--initial-cluster, a name or URL occurs twice, or a URL does not parse. It was found before "
     "anything was written.",
     "Correct --name, --initial-cluster and --initial-advertise-peer-urls; all hosts take the "
     "same --initial-cluster."},
    {ErrorCode::kConfirmationNeeded, ExitCode::kRefused, "confirmation needed",
     "The command replaces live state and was not confirmed. Without a terminal Lifeboat does not "
     "ask but stops; nothing was changed.",
     "Read the plan with --dry-run, then pass --confirm=CLUSTER with the name that the plan "
     "shows."},
    {ErrorCode::kPlanMismatch, ExitCode::kRefused, "plan file does not fit this restore",
     "The plan file was made for another repo, point, or set of members than this command names. "
     "Members restored from different plans would not form one cluster, so it was refused.",
     "Pass the plan that the first host wrote, the point that it names, and the same flags. For another "
     "restore name another file; keep the plan until every host is done."},
    {ErrorCode::kNothingToUndo, ExitCode::kNotFound, "nothing to undo",
     "No kept tree of an earlier in-place restore was found beside the data directory. It may have "
     "been removed to free space, or the restore went to another directory.",
     "List the kept trees with `ls -d DATA-DIR.lifeboat-*`; restore a point instead if there are "
     "none."},
    {ErrorCode::kSandboxFailed, ExitCode::kIntegrity, "sandboxed etcd did not serve the restored data",
     "An etcd was started on a restored copy to prove it, and it did not become healthy or did "
     "not answer with the data of the point. The repo was only read; the message names the log of "
     "that etcd.",
     "Read the log that the message names; `lifeboat verify --level 3` checks the same point "
     "without etcd."},
    {ErrorCode::kEtcdBinaryMissing, ExitCode::kUsage, "no etcd binary found",
     "Verification level 4 starts an etcd and found none on PATH. Lower levels do not need one.",
     "Pass --etcd /path/to/etcd of the cluster's version, or use --level 3."},
    {ErrorCode::kForeignWal, ExitCode::kRefused, "write-ahead log of another member",
     "The folder named by --wal-dir holds the write-ahead log of a member that the data directory does not know, or "
     "one that cannot be read. Swapping the two together would take the log from the member that it belongs to, and "
     "leave this one with its old entries. Nothing was changed.",
     "Pass the --wal-dir that this etcd runs with; its process or unit names it."},
};

constexpr ErrorEntry kOwnErrors[] = {
    {ErrorCode::kInternal, ExitCode::kBug, "internal error",
     "Lifeboat found itself in a state that its authors thought impossible, and stopped rather "
     "than go on. Nothing was published after that moment. This is a defect of Lifeboat, not of "
     "your cluster.",
     "Please report it with the command and the whole message; earlier points are not affected."},
    {ErrorCode::kInterrupted, ExitCode::kInterrupted, "interrupted",
     "The command was stopped by Ctrl-C or a signal before it was done. What was not finished was "
     "dropped; earlier points and the cluster are as they were.",
     "Run the command again when ready: it starts over cleanly."},
};

template <std::size_t... kSizes>
constexpr auto concatenated(const ErrorEntry (&... groups)[kSizes]) {
  struct Rows {
    ErrorEntry rows[(kSizes + ...)];
  } all{};
  std::size_t at = 0;
  const auto add = [&](const auto& group) {
    for (const ErrorEntry& entry : group) all.rows[at++] = entry;
  };
  (add(groups), ...);
  return all;
}

constexpr auto kCatalogue =
    concatenated(kUsageErrors, kEtcdErrors, kStorageErrors, kRepoErrors, kIntegrityErrors, kRestoreErrors, kOwnErrors);

static_assert(std::ranges::is_sorted(kCatalogue.rows, {}, &ErrorEntry::code), "entry_of searches by halves");

bool is_prefix_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  return std::ranges::equal(text.substr(0, lower.size()), lower, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
}

}  // namespace

std::span<const ErrorEntry> error_catalogue() { return kCatalogue.rows; }

const ErrorEntry& entry_of(ErrorCode code) {
  const auto found = std::ranges::lower_bound(kCatalogue.rows, code, {}, &ErrorEntry::code);
  assert(found != std::end(kCatalogue.rows) && found->code == code);
  return found != std::end(kCatalogue.rows) && found->code == code ? *found : kOwnErrors[0];
}

std::string code_text(ErrorCode code) { return "LB-E" + std::to_string(static_cast<unsigned>(code)); }

std::optional<ErrorCode> parse_code(std::string_view text) {
  if (is_prefix_ignoring_case(text, "lb-e")) {
    text.remove_prefix(4);
  } else if (is_prefix_ignoring_case(text, "e")) {
    text.remove_prefix(1);
  }
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  const auto code = static_cast<ErrorCode>(number);
  const auto found = std::ranges::find(kCatalogue.rows, code, &ErrorEntry::code);
  if (found == std::end(kCatalogue.rows)) return std::nullopt;
  return code;
}

}  // namespace lifeboat
