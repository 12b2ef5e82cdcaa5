// Logins that hang or are refused on the way, against fake servers.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "fake_etcd.h"
#include "source/etcd/watch.h"
#include "support/clock.h"

namespace lifeboat::testing {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

void wait_for_cancel(grpc::ServerContext& context) {
  while (!context.IsCancelled()) std::this_thread::sleep_for(5ms);
}

LoginScript tokens(std::atomic<int>& logins) {
  return [&logins](grpc::ServerContext&, etcdserverpb::AuthenticateResponse& response) {
    response.set_token("token " + std::to_string(++logins));
    return grpc::Status::OK;
  };
}

std::unique_ptr<source::Client> user_at(std::vector<std::string> endpoints) {
  source::ClientOptions options;
  options.endpoints = std::move(endpoints);
  options.user = "root";
  options.password = crypto::Secret(as_bytes("password"));
  options.call_timeout = 20s;
  return source::Client::make(std::move(options), real_clock()).value();
}

TEST(EtcdClientLogin, ThatHangsAtOneEndpointHoldsUpNobodyAtAnother) {
  std::atomic<bool> hangs = false;
  std::atomic<int> logins = 0;
  FakeEtcd hanging, answering;
  hanging.login = [&](grpc::ServerContext& context, etcdserverpb::AuthenticateResponse&) {
    hangs = true;
    while (hangs && !context.IsCancelled()) std::this_thread::sleep_for(5ms);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "too late");
  };
  answering.login = tokens(logins);
  const auto client = user_at({hanging.endpoint(), answering.endpoint()});
  std::thread stuck([&] { EXPECT_FALSE(client->status(hanging.endpoint())); });
  while (!hangs) std::this_thread::sleep_for(5ms);

  const auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) others.emplace_back([&] { EXPECT_TRUE(client->status(answering.endpoint())); });
  for (auto& other : others) other.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  EXPECT_TRUE(hangs);
  EXPECT_EQ(logins, 1) << "one login is enough for all who speak to an endpoint";
  hangs = false;
  stuck.join();
}

// Whoever waits for the login of another one is told, too.
TEST(EtcdClientLogin, ThatHangsEndsForAllWhoAreAskedToStop) {
  std::atomic<bool> hangs = false, stop = false;
  FakeEtcd hanging;
  hanging.login = [&](grpc::ServerContext& context, etcdserverpb::AuthenticateResponse&) {
    hangs = true;
    wait_for_cancel(context);
    return grpc::Status::CANCELLED;
  };
  const auto whole = user_at({hanging.endpoint()});
  const auto client = whole->cancelled_by([&] { return stop.load(); });
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([&] {
      const auto status = client->status(hanging.endpoint());
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code(), ErrorCode::kInterrupted) << status.error().to_string();
    });
  while (!hangs) std::this_thread::sleep_for(5ms);
  stop = true;
  const auto asked = std::chrono::steady_clock::now();
  for (auto& caller : callers) caller.join();
  EXPECT_LT(std::chrono::steady_clock::now() - asked, 1s);
}

// Revisions as they come, until the last one wanted.
struct Revisions final : source::RevisionSink {
  std::vector<std::int64_t> seen;
  Status revisions(std::span<const etcd::Record> records) override {
    for (const auto& record : records) seen.push_back(record.key.revision.main);
    return {};
  }
  Status caught_up(std::int64_t) override { return {}; }
};

void send_revision(WatchStream& stream, std::int64_t revision, bool fragment = false) {
  etcdserverpb::WatchResponse response;
  response.set_watch_id(1);
  response.set_fragment(fragment);
  auto* kv = response.add_events()->mutable_kv();
  kv->set_key("key");
  kv->set_create_revision(revision);
  kv->set_mod_revision(revision);
  kv->set_version(1);
  stream.Write(response);
}

TEST(EtcdClientLogin, ThatRunsOutAfterSomeRevisionsLetsTheWatchGoOnBehindThem) {
  std::atomic<int> logins = 0;
  std::vector<std::int64_t> asked_from;
  FakeEtcd server;
  server.login = tokens(logins);
  server.watch = [&](grpc::ServerContext& context, WatchStream& stream) {
    etcdserverpb::WatchRequest request;
    stream.Read(&request);
    asked_from.push_back(request.create_request().start_revision());
    etcdserverpb::WatchResponse created;
    created.set_watch_id(1);
    created.set_created(true);
    stream.Write(created);
    const bool first = asked_from.size() == 1;
    for (std::int64_t at = asked_from.back(); at <= (first ? 3 : 5); ++at) send_revision(stream, at);
    if (first) {
      send_revision(stream, 4, true);  // and its other fragments never come
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "etcdserver: invalid auth token");
    }
    wait_for_cancel(context);
    return grpc::Status::CANCELLED;
  };
  const auto client = user_at({server.endpoint()});
  Revisions sink;
  const auto outcome = source::watch_revisions(*client, {.endpoint = server.endpoint(), .from = 2}, sink,
                                               [&] { return !sink.seen.empty() && sink.seen.back() == 5; });
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_EQ(outcome->end, source::WatchEnd::kCancelled)
      << (outcome->error ? outcome->error->to_string() : "without an error");
  EXPECT_THAT(sink.seen, ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(asked_from, ElementsAre(2, 4));
}

}  // namespace
}  // namespace lifeboat::testing
