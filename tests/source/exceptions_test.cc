// Exceptions in the middle of a call: it ends with an error, whatever the server does.
#include <gmock/gmock.h>

#include <new>
#include <thread>

#include "fake_etcd.h"
#include "source/etcd/watch.h"
#include "support/clock.h"
#include "support/recording_progress.h"

namespace lifeboat::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::unique_ptr<source::Client> client_of(const FakeEtcd& server) {
  return source::Client::make({.endpoints = {server.endpoint()}}, real_clock()).value();
}

void wait_for_cancel(grpc::ServerContext& context) {
  while (!context.IsCancelled()) std::this_thread::sleep_for(5ms);
}

// One revision, and then nothing for as long as somebody listens.
grpc::Status one_revision(grpc::ServerContext& context, WatchStream& stream) {
  etcdserverpb::WatchRequest request;
  stream.Read(&request);
  etcdserverpb::WatchResponse created, revision;
  created.set_watch_id(1);
  created.set_created(true);
  stream.Write(created);
  revision.set_watch_id(1);
  auto* kv = revision.add_events()->mutable_kv();
  kv->set_key("key");
  kv->set_create_revision(2);
  kv->set_mod_revision(2);
  kv->set_version(1);
  stream.Write(revision);
  wait_for_cancel(context);
  return grpc::Status::CANCELLED;
}

template <typename Exception>
struct Throwing final : source::RevisionSink {
  explicit Throwing(Exception its_exception) : exception(std::move(its_exception)) {}
  Exception exception;
  Status revisions(std::span<const etcd::Record>) override { throw exception; }
  Status caught_up(std::int64_t) override { return {}; }
};

template <typename Exception>
Error error_of_watch(Exception exception) {
  FakeEtcd server;
  server.watch = one_revision;
  Throwing sink(std::move(exception));
  const auto outcome = source::watch_revisions(*client_of(server), {.endpoint = server.endpoint(), .from = 2}, sink,
                                               [] { return false; });
  if (!outcome || !outcome->error) return Error(ErrorCode::kEtcdFailed, "another outcome");
  return *outcome->error;
}

TEST(AnException, OfWhoReceivesAWatchEndsItWithAnError) {
  const Error error = error_of_watch(std::runtime_error("out of everything"));
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_THAT(error.what(), HasSubstr("the watch at http://"));
  EXPECT_EQ(error.why(), "an exception on this side: out of everything");
}

TEST(AnException, ForWantOfMemoryEndsAWatchWithAnError) {
  const Error error = error_of_watch(std::bad_alloc());
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_THAT(error.why(), HasSubstr("bad_alloc"));
}

TEST(AnException, OfAnyKindEndsAWatchWithAnError) {
  EXPECT_EQ(error_of_watch(42).why(), "an exception on this side: it is of no known kind");
}

// A read is under way then, and nothing comes.
TEST(AnException, WhileTheServerIsSilentEndsAWatchWithAnError) {
  struct Sink final : source::RevisionSink {
    Status revisions(std::span<const etcd::Record>) override { return {}; }
    Status caught_up(std::int64_t) override { return {}; }
    Status idle() override { throw std::bad_alloc(); }
  };
  FakeEtcd server;
  server.watch = one_revision;
  Sink sink;
  const auto outcome = source::watch_revisions(*client_of(server), {.endpoint = server.endpoint(), .from = 2}, sink,
                                               [] { return false; });
  ASSERT_TRUE(outcome && outcome->error);
  EXPECT_EQ(outcome->error->code(), ErrorCode::kInternal);
}

TEST(AnException, OfWhoReceivesASnapshotEndsItWithAnError) {
  struct Sink final : source::SnapshotSink {
    Status begin(std::uint64_t, const std::string&) override { return {}; }
    Status write(ByteView) override { throw std::bad_alloc(); }
  };
  const FakeEtcd server([](grpc::ServerContext& context, SnapshotWriter& writer) {
    send_data(writer, std::string(4 * kBlobBytes, 'x'), kBlobBytes);
    wait_for_cancel(context);
    return grpc::Status::CANCELLED;
  });
  Sink sink;
  RecordingProgress progress;
  const auto info = client_of(server)->snapshot("", sink, progress);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code(), ErrorCode::kInternal) << info.error().to_string();
}

TEST(AnException, OfTheWishToStopEndsACallThatHangs) {
  FakeEtcd server;
  std::atomic<bool> hangs = false;
  server.login = [&](grpc::ServerContext& context, etcdserverpb::AuthenticateResponse&) {
    hangs = true;
    wait_for_cancel(context);
    return grpc::Status::CANCELLED;
  };
  source::ClientOptions options;
  options.endpoints = {server.endpoint()};
  options.user = "root";
  options.password = crypto::Secret(as_bytes("password"));
  const auto whole = source::Client::make(std::move(options), real_clock()).value();
  const auto client = whole->cancelled_by([&]() -> bool { return hangs ? throw std::bad_alloc() : false; });
  const auto status = client->status(server.endpoint());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::kInternal) << status.error().to_string();
}

}  // namespace
}  // namespace lifeboat::testing
